/**
 * A recording to scrub through: one line of time for all of it, the stretches in which each source sent, when photos and
 * models came, and the picture of the time that is chosen.
 */
import type { CairnApi } from "@cairn/client";
import { nsToMs, type RecordingState, type SpaceState } from "@cairn/protocol";
import { type JSX, useMemo, useRef, useState } from "react";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";
import { clockText, type Stretch, spanOf, stretchAt } from "./recording-time.ts";
import { withToken } from "./token.ts";
import { sizeInWords } from "./words.ts";

type RecordingPlayerProps = {
  space: string;
  api: CairnApi;
  token: string | undefined;
  state: SpaceState;
  recording: RecordingState;
  onClose(): void;
};

export function RecordingPlayer({ space, api, token, state, recording, onClose }: RecordingPlayerProps): JSX.Element {
  const span = useMemo(() => spanOf(recording), [recording]);
  const { durationMs, sources, startNs } = span;
  const [source, setSource] = useState(() => [...sources.keys()][0]);
  const [atMs, setAtMs] = useState(0);
  const [stretch, setStretch] = useState(() => stretchAt(sources.get(source ?? "") ?? [], 0));
  const [unplayable, setUnplayable] = useState(false);
  const video = useRef<HTMLVideoElement>(null);
  /** Where the picture is to be, within its file: its bytes may not be there yet. */
  const wantedS = useRef(0);
  /** It plays on when one file is over and the next begins. */
  const playing = useRef(false);

  const show = (name: string | undefined, ms: number) => {
    const next = stretchAt(sources.get(name ?? "") ?? [], ms);
    setAtMs(ms);
    setStretch(next);
    if (!next) return;
    wantedS.current = Math.max(0, Math.min(ms, next.toMs) - next.fromMs) / 1000;
    if (next === stretch && video.current && video.current.readyState > 0) video.current.currentTime = wantedS.current;
  };
  const goOn = () => {
    const all = sources.get(source ?? "") ?? [];
    const next = stretch && all[all.indexOf(stretch) + 1];
    playing.current = next !== undefined;
    if (next) show(source, next.fromMs);
  };
  const urlOf = (name: string) => withToken(api.recordingFileUrl(space, recording.recording, name), token);
  const files = recording.ended?.files ?? [];
  const at = new Date(nsToMs(String(startNs)) + atMs);

  return (
    <Dialog
      title={recording.name || "Recording"}
      className="player"
      onClose={onClose}
      head={
        sources.size > 1 && (
          <select
            aria-label="Source"
            value={source}
            onChange={({ target }) => {
              setSource(target.value);
              setUnplayable(false);
              show(target.value, atMs);
            }}
          >
            {[...sources.keys()].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )
      }
    >
      {stretch && !unplayable && (
        // biome-ignore lint/a11y/useMediaCaption: what drones and phones send has no words
        <video
          key={stretch.file.blob + stretch.file.name}
          ref={video}
          src={urlOf(stretch.file.name)}
          controls
          playsInline
          preload="auto"
          onLoadedMetadata={({ currentTarget }) => {
            currentTarget.currentTime = wantedS.current;
            if (playing.current) void currentTarget.play().catch(() => {});
          }}
          onPlay={() => {
            playing.current = true;
          }}
          onPause={({ currentTarget }) => {
            if (!currentTarget.ended) playing.current = false;
          }}
          onTimeUpdate={({ currentTarget }) => {
            // At its end it counts as paused already when it says for the last time where it is.
            const moves = !currentTarget.paused || currentTarget.ended;
            if (moves) setAtMs(stretch.fromMs + currentTarget.currentTime * 1000);
          }}
          onEnded={goOn}
          onError={() => setUnplayable(true)}
        />
      )}
      {unplayable && <p>This browser does not play this video. Save its file and open it with another program.</p>}
      {sources.size === 0 && (
        <p>
          {files.length === 0
            ? "Nothing came while it was recorded."
            : "There is no video in it. Programs that read MCAP show the rest."}
        </p>
      )}
      <label className="scrub">
        <input
          type="range"
          aria-label="Time"
          min={0}
          max={Math.max(1, Math.round(durationMs))}
          step={1}
          value={Math.round(atMs)}
          onChange={({ target }) => show(source, target.valueAsNumber)}
        />
        <Bands sources={sources} chosen={source} durationMs={durationMs} marks={marksOf(state, startNs, durationMs)} />
        <output>
          {clockText(atMs)} of {clockText(durationMs)} · {at.toLocaleTimeString()}
        </output>
      </label>
      <ul className="files">
        {files.map(({ name, format, sizeBytes, source: from }) => (
          <li key={name}>
            <a href={urlOf(name)} download={name}>
              <Icon name="download" />
              <span>{format === "mcap" ? "Everything (MCAP)" : `Video ${from} (MP4)`}</span>
              <em>{sizeInWords(sizeBytes)}</em>
            </a>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

type Mark = { readonly atMs: number; readonly kind: "photo" | "model" };

/** What else came to the space in that time. */
function marksOf(state: SpaceState, startNs: bigint, durationMs: number): Mark[] {
  const ms = (timeNs: string) => Number(BigInt(timeNs) - startNs) / 1e6;
  const photos = Object.values(state.images).map(({ addedNs }): Mark => ({ atMs: ms(addedNs), kind: "photo" }));
  const models = state.history.map(({ timeNs }): Mark => ({ atMs: ms(timeNs), kind: "model" }));
  return [...photos, ...models].filter(({ atMs }) => atMs >= 0 && atMs <= durationMs);
}

type BandsProps = {
  sources: ReadonlyMap<string, readonly Stretch[]>;
  chosen: string | undefined;
  durationMs: number;
  marks: readonly Mark[];
};

function Bands({ sources, chosen, durationMs, marks }: BandsProps): JSX.Element {
  const part = (ms: number) => `${(100 * ms) / Math.max(1, durationMs)}%`;
  return (
    <div className="bands" aria-hidden="true">
      {[...sources].map(([name, stretches]) => (
        <div key={name} className={name === chosen ? "band chosen" : "band"} title={name}>
          {stretches.map(({ file, fromMs, toMs }) => (
            <i key={file.name} style={{ left: part(fromMs), width: part(toMs - fromMs) }} />
          ))}
        </div>
      ))}
      <div className="band marks">
        {marks.map(({ atMs, kind }, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they have no names, and none goes
          <b key={i} className={kind} style={{ left: part(atMs) }} />
        ))}
      </div>
    </div>
  );
}
