/** The recordings of a space, newest first: start, stop, look at, remove. */
import type { CairnApi } from "@cairn/client";
import { nsToMs, type RecordingState, type SpaceState } from "@cairn/protocol";
import { type JSX, useState } from "react";
import { Icon } from "./icons.tsx";
import { clockText, spanOf } from "./recording-time.ts";
import type { Say } from "./toast-list.tsx";
import { count, inWords, sizeInWords } from "./words.ts";

type RecordingsListProps = {
  space: string;
  api: CairnApi;
  state: SpaceState;
  onPlay(recording: string): void;
  say: Say;
};

export function RecordingsList({ space, api, state, onPlay, say }: RecordingsListProps): JSX.Element {
  const [busy, setBusy] = useState<string>();
  const recordings = Object.values(state.recordings ?? {}).reverse();
  const attempt = async (what: string, failed: string, call: () => Promise<unknown>) => {
    setBusy(what);
    await call().catch((error: unknown) => say(failed, inWords(error), "bad"));
    setBusy(undefined);
  };
  return (
    <section className="recordings" aria-label="Recordings">
      <header>
        <h2>Recordings</h2>
        <button
          type="button"
          className="button small"
          disabled={busy !== undefined}
          onClick={() => void attempt("new", "Not recording", () => api.startRecording(space))}
        >
          <Icon name="record" /> Record
        </button>
      </header>
      {recordings.length === 0 && (
        <p className="aside">Keeps live video and motion as they come, to be played and saved.</p>
      )}
      <ol className="history">
        {recordings.map((each) => (
          <li key={each.recording} data-recording={each.recording}>
            <div>
              <strong>{title(each)}</strong>
              <span>{facts(each)}</span>
            </div>
            {each.ended ? (
              <div className="buttons">
                <button
                  type="button"
                  className="button small"
                  aria-label={`Play ${title(each)}`}
                  onClick={() => onPlay(each.recording)}
                >
                  Play
                </button>
                <button
                  type="button"
                  className="button small"
                  aria-label={`Remove ${title(each)}`}
                  disabled={busy !== undefined}
                  onClick={() =>
                    void attempt(each.recording, "Not removed", () => api.removeRecording(space, each.recording))
                  }
                >
                  <Icon name="trash" />
                </button>
              </div>
            ) : (
              <button
                type="button"
                className="button small"
                aria-label={`Stop ${title(each)}`}
                disabled={busy !== undefined}
                onClick={() =>
                  void attempt(each.recording, "Not stopped", () => api.stopRecording(space, each.recording))
                }
              >
                {busy === each.recording ? "Stopping…" : "Stop"}
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function title({ name, startedNs }: RecordingState): string {
  const time = new Date(nsToMs(startedNs)).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return name === "" ? `Recording, ${time}` : `${name}, ${time}`;
}

const REASONS = {
  stopped: undefined,
  duration: "full length",
  bytes: "full size",
  files: "too many files",
  idle: "nothing came any more",
  disk_full: "the disk was full",
  disk_failed: "the disk failed",
  server_stopping: "the server stopped",
  crashed: "the server was killed",
} as const;

function facts(recording: RecordingState): string {
  const { ended } = recording;
  if (!ended) return "Recording…";
  const { durationMs, sources } = spanOf(recording);
  const sizeBytes = ended.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (sizeBytes === 0) return "Nothing came";
  const reason = REASONS[ended.reason];
  const videos = sources.size > 0 ? [count(sources.size, "video")] : [];
  const parts = [clockText(durationMs), ...videos, sizeInWords(sizeBytes), ...(reason ? [reason] : [])];
  return parts.join(" · ");
}
