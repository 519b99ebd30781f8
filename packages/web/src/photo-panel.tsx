/** Every photo and what became of it. A panel at the side; on a phone a sheet at the bottom. */
import { photosOf, type SpaceState, shownGeneration } from "@cairn/protocol";
import { type JSX, type ReactNode, useRef, useState } from "react";
import { Icon } from "./icons.tsx";
import { PanelHead } from "./panel-head.tsx";
import { isPhone } from "./phone/is-phone.ts";
import { PhotoPicker } from "./photo-picker.tsx";
import { Thumb } from "./thumb.tsx";
import type { Uploads } from "./uploads.ts";
import { newestHint, photoStatus } from "./words.ts";

type PhotoPanelProps = {
  open: boolean;
  setOpen(open: boolean): void;
  state: SpaceState;
  /** The state is the server's. */
  loaded: boolean;
  /** The server answers. */
  live: boolean;
  uploads: Uploads;
  selected: string | undefined;
  thumbnail(image: string, sidePx: number): string;
  fallback(blob: string): string;
  onSelect(image: string): void;
  onFiles(files: File[]): void;
  /** The way to a camera, beside that to files. */
  camera: ReactNode;
  /** Below the photos: what came from elsewhere. */
  clouds: ReactNode;
};

export function PhotoPanel(props: PhotoPanelProps): JSX.Element {
  const { open, setOpen, state, loaded, live, uploads, selected, thumbnail, fallback, onSelect, onFiles } = props;
  const picker = useRef<HTMLInputElement>(null);
  const photos = photosOf(state);
  const next = photos.find(({ verdict }) => !verdict)?.image;
  const hint = newestHint(state)?.text;
  const model = shownGeneration(state);
  const status = new Map(photos.map((photo) => [photo.image, photoStatus(photo, next, model)]));
  const placed = [...status.values()].filter(({ kind }) => kind === "placed").length;

  return (
    <aside className={open ? "card panel open" : "card panel"} aria-label="Photos">
      <PanelHead
        title="Photos"
        said={!loaded ? "" : photos.length === 0 ? "none yet" : `${placed} of ${photos.length} placed`}
        open={open}
        onOpen={setOpen}
      >
        {props.camera}
        <button type="button" className="button small" onClick={() => picker.current?.click()}>
          <Icon name="plus" />
          Add
        </button>
        <PhotoPicker ref={picker} onFiles={onFiles} />
      </PanelHead>
      {open && (
        <ul className="photos">
          {photos.map((photo, index) => {
            const { kind, text, advice } = status.get(photo.image)!;
            return (
              <li key={photo.image} className={kind}>
                <button type="button" aria-pressed={photo.image === selected} onClick={() => onSelect(photo.image)}>
                  <Thumb addresses={[thumbnail(photo.image, 160), fallback(photo.blob)]} live={live} />
                  <span className="photo-text">
                    <span className="photo-name">
                      <b>{index + 1}</b> {photo.name}
                    </span>
                    <span className="photo-state">
                      <i className="dot" aria-hidden="true" />
                      {text}
                    </span>
                    {advice && <span className="advice">{advice}</span>}
                  </span>
                </button>
              </li>
            );
          })}
          {uploads.items.map(({ id, name, sent, preview, error }) => (
            <li key={`upload-${id}`} className={error === undefined ? "uploading" : "unused"}>
              <div className="row">
                <Preview url={preview} />
                <span className="photo-text">
                  <span className="photo-name">{name}</span>
                  <span className="photo-state">
                    <i className="dot" aria-hidden="true" />
                    {error === undefined ? `Uploading ${Math.round(sent * 100)} %` : "Not taken"}
                  </span>
                  {error === undefined ? (
                    <progress value={sent} max={1} aria-label={`Upload of ${name}`} />
                  ) : (
                    <span className="advice">{error}</span>
                  )}
                </span>
                <button
                  type="button"
                  className="icon-button"
                  aria-label={error === undefined ? `Cancel the upload of ${name}` : `Dismiss ${name}`}
                  onClick={() => uploads.cancel(id)}
                >
                  <Icon name="close" />
                </button>
              </div>
            </li>
          ))}
          {props.clouds}
          {loaded && photos.length + uploads.items.length === 0 && (
            <li className="nothing">
              {!isPhone() && "Drop photos anywhere in this window. "}Two photos are enough to begin.
            </li>
          )}
        </ul>
      )}
      {/* Below the list: what comes and goes must not move what someone is about to click. */}
      {hint && <p className="advice next-photo">{hint}</p>}
    </aside>
  );
}

/** Of what is on its way, where the browser can show it. */
function Preview({ url }: { url: string | undefined }): JSX.Element {
  const [broken, setBroken] = useState(false);
  if (url === undefined || broken) return <span className="no-picture" />;
  return <img src={url} alt="" width={60} height={45} onError={() => setBroken(true)} />;
}
