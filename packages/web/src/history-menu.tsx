/** What was: the generations of the model, newest first, with the way back to each, and what was recorded. */
import type { CairnApi } from "@cairn/client";
import { nsToMs, type PublishedGeneration, type SpaceState } from "@cairn/protocol";
import { type JSX, useState } from "react";
import { Menu } from "./menu.tsx";
import { RecordingPlayer } from "./recording-player.tsx";
import { RecordingsList } from "./recordings-list.tsx";
import type { Say } from "./toast-list.tsx";
import { count, inWords } from "./words.ts";

type HistoryMenuProps = {
  space: string;
  api: CairnApi;
  token: string | undefined;
  state: SpaceState;
  say: Say;
};

export function HistoryMenu({ space, api, token, state, say }: HistoryMenuProps): JSX.Element {
  const [going, setGoing] = useState<number>();
  const [played, setPlayed] = useState<string>();
  const recording = played === undefined ? undefined : state.recordings?.[played];
  const goBack = async (generation: number) => {
    setGoing(generation);
    await api
      .restoreGeneration(space, generation)
      .catch((error: unknown) => say("Not gone back", inWords(error), "bad"));
    setGoing(undefined);
  };
  return (
    <>
      <Menu label="History" icon="history" stays>
        {state.history.length < 2 && (
          <p className="aside">
            Each time the model is refined, the one before is kept here, and you can go back to it.
          </p>
        )}
        {state.history.length > 1 && (
          <ol className="history">
            {state.history.toReversed().map((each) => (
              <li key={each.generation} aria-current={each.generation === state.generation}>
                <div>
                  <strong>{title(each)}</strong>
                  <span>{facts(each)}</span>
                </div>
                {each.generation === state.generation ? (
                  <em>Shown</em>
                ) : (
                  <button
                    type="button"
                    className="button small"
                    aria-label={`Go back to ${title(each)}`}
                    disabled={going !== undefined}
                    onClick={() => void goBack(each.generation)}
                  >
                    {going === each.generation ? "Going back…" : "Go back"}
                  </button>
                )}
              </li>
            ))}
          </ol>
        )}
        <RecordingsList {...{ space, api, state, say }} onPlay={setPlayed} />
      </Menu>
      {recording && (
        <RecordingPlayer
          key={recording.recording}
          {...{ space, api, token, state, recording }}
          onClose={() => setPlayed(undefined)}
        />
      )}
    </>
  );
}

function title({ generation, timeNs }: PublishedGeneration): string {
  const time = new Date(nsToMs(timeNs)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return `Model ${generation}, ${time}`;
}

function facts({ cameras, points, residual, restores }: PublishedGeneration): string {
  const back = restores === undefined ? [] : [`back\u00a0to\u00a0model\u00a0${restores}`];
  const moved = residual === undefined ? [] : [`moved\u00a0${(100 * residual).toFixed(2)}\u00a0%`];
  return [...back, count(cameras, "photo"), count(points, "point"), ...moved].join(" · ");
}
