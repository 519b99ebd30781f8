/** A small picture in the space's page: what its cameras see right now. */
import type { CairnApi, SpaceConnection, Status } from "@cairn/client";
import { type JSX, type ReactNode, useEffect, useRef, useState } from "react";
import { Icon } from "../icons.tsx";
import { useVideoSources } from "./use-video-sources.ts";
import { useVisible } from "./use-visible.ts";
import { type WatchState, watchObstacle, watchVideo } from "./watch-video.ts";

type LiveVideoProps = { api: CairnApi; connection: SpaceConnection; status: Status };

export function LiveVideo({ api, connection, status }: LiveVideoProps): JSX.Element | null {
  const visible = useVisible();
  const sources = useVideoSources(api, connection, visible && status === "live");
  const [chosen, setChosen] = useState<string>();
  const [open, setOpen] = useState(true);
  // Not the card's own: it goes while a camera is away.
  const [large, setLarge] = useState(false);
  const source = sources.find((each) => each === chosen) ?? sources[0];
  if (source === undefined) return null;
  if (!open) {
    return (
      <button type="button" className="button small live-pill" onClick={() => setOpen(true)}>
        <i className="live-dot" aria-hidden="true" />
        Live video
      </button>
    );
  }
  return (
    <LiveCard key={source} {...{ api, source, large }} onSize={setLarge} onHide={() => setOpen(false)}>
      {sources.length > 1 && (
        <select aria-label="Camera" value={source} onChange={({ target }) => setChosen(target.value)}>
          {sources.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      )}
    </LiveCard>
  );
}

type LiveCardProps = {
  api: CairnApi;
  source: string;
  large: boolean;
  onSize(large: boolean): void;
  onHide(): void;
  children: ReactNode;
};

function LiveCard({ api, source, large, onSize, onHide, children }: LiveCardProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const obstacle = watchObstacle();
  const visible = useVisible();
  const [state, setState] = useState<WatchState>({ kind: "waiting" });

  useEffect(() => {
    if (!canvas.current || obstacle !== undefined || !visible) return;
    const stop = new AbortController();
    watchVideo({ video: api.video, source, canvas: canvas.current, onState: setState, signal: stop.signal });
    return () => stop.abort();
  }, [api, source, obstacle, visible]);

  const problem = obstacle ?? (state.kind === "problem" ? state.text : undefined);
  return (
    <section className={large ? "card live-card large" : "card live-card"} aria-label={`Live video of ${source}`}>
      {problem === undefined && (
        <button
          type="button"
          className="live-picture"
          aria-label={large ? "Show it small" : "Show it large"}
          aria-pressed={large}
          onClick={() => onSize(!large)}
        >
          <canvas ref={canvas} width={320} height={180} data-state={state.kind} />
        </button>
      )}
      <div className="live-words">
        <i className="live-dot" data-state={problem === undefined ? state.kind : "problem"} aria-hidden="true" />
        <span role="status">
          {problem ?? (state.kind === "showing" ? "Live" : "Waiting for a picture")}
          {state.kind === "showing" && !children && <em>{source}</em>}
        </span>
        {children}
        <button type="button" className="icon-button" aria-label="Hide the live video" onClick={onHide}>
          <Icon name="close" />
        </button>
      </div>
    </section>
  );
}
