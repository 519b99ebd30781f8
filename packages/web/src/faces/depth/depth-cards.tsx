/** What the page of a depth session shows in small: a photo, how far the work is, and what came of it. */
import type { JSX } from "react";
import { Icon } from "../../icons.tsx";
import { count, sizeInWords } from "../../words.ts";
import type { DepthGlb, DepthPhoto } from "./depth-work.ts";

const PHOTO_TEXTS = {
  new: "Not sent yet",
  sending: "Sending…",
  stored: "Sent",
  refused: "Not taken",
} as const satisfies Record<DepthPhoto["status"], string>;

export function Preview({ photo, onRemove }: { photo: DepthPhoto; onRemove(): void }): JSX.Element {
  const { file, preview, status, placed, problem } = photo;
  const text = placed === undefined ? PHOTO_TEXTS[status] : placed ? "Placed" : "Not placed";
  const kind = placed === undefined ? status : placed ? "placed" : "waiting";
  return (
    <li className={kind} title={problem ?? `${file.name}: ${text}`}>
      <img src={preview} alt={file.name} />
      <span className="photo-state">
        <i className="dot" aria-hidden="true" />
        {text}
      </span>
      {(status === "new" || status === "refused") && (
        <button type="button" className="icon-button" aria-label={`Remove ${file.name}`} onClick={onRemove}>
          <Icon name="close" />
        </button>
      )}
      {problem && <span className="advice">{problem}</span>}
    </li>
  );
}

const STAGES = [
  ["upload", "Photos"],
  ["loading_model", "Engine"],
  ["inference", "Cameras and points"],
  ["exporting", "File"],
] as const;

export function WorkCard({
  stage,
  progress,
  message,
}: {
  stage: string;
  progress: number;
  message: string;
}): JSX.Element {
  const at = STAGES.findIndex(([name]) => name === stage);
  return (
    <section className="card work" aria-label="Progress">
      <ol className="stages">
        {STAGES.map(([name, text], i) => (
          <li key={name} className={i < at ? "done" : ""} aria-current={i === at ? "step" : undefined}>
            {text}
          </li>
        ))}
      </ol>
      <progress aria-label="Progress of this step" value={progress} max={1} />
      <span className="quiet" role="status">
        {message.replace(/\.\.\.$/, "…")}
      </span>
    </section>
  );
}

type ResultCardProps = { result: DepthGlb; session: string; working: boolean };

export function ResultCard({ result, session, working }: ResultCardProps): JSX.Element {
  const { model, url, sizeBytes, metadata, partial } = result;
  const placed = metadata?.registered.filter(Boolean).length;
  const seconds = metadata?.processing_time_s;
  const depth = [metadata?.depth_min, metadata?.depth_max].filter((value) => typeof value === "number");
  return (
    <section className="card design-card" aria-label="Model">
      <header>
        <strong>{partial ? "Model so far" : "Model"}</strong>
        {working && <span className="quiet">more is coming</span>}
      </header>
      <dl className="facts">
        <div>
          <dt>Points</dt>
          <dd>{count(model.points, "point")}</dd>
        </div>
        {metadata && (
          <div>
            <dt>Photos</dt>
            <dd>
              {placed} of {metadata.filenames.length} placed
            </dd>
          </div>
        )}
        {depth.length === 2 && (
          <div>
            <dt>Depth</dt>
            <dd>{depth.map((value) => value.toPrecision(3)).join(" to ")}, no known unit</dd>
          </div>
        )}
        <div>
          <dt>File</dt>
          <dd>{sizeInWords(sizeBytes)}</dd>
        </div>
        {typeof seconds === "number" && !partial && (
          <div>
            <dt>Took</dt>
            <dd>{seconds.toFixed(1)} s</dd>
          </div>
        )}
      </dl>
      <div className="tools">
        <a className="button small primary" href={url} download={`${session.slice(0, 8)}.glb`}>
          <Icon name="download" /> Download GLB
        </a>
      </div>
    </section>
  );
}
