/** An image of a session, and one on its way into it. */
import type { JSX } from "react";
import { Icon } from "../../icons.tsx";
import { sizeInWords } from "../../words.ts";
import type { Place } from "../shared/place.ts";
import { type SessionImage, sourceInWords } from "./image-types.ts";
import type { ImageUpload } from "./image-uploads.ts";

type ImageTileProps = { place: Place; image: SessionImage; chosen: boolean; onToggle(): void };

export function ImageTile({ place, image, chosen, onToggle }: ImageTileProps): JSX.Element {
  const { original_filename, original_size, current_size, width, height, source, version } = image;
  const saved = Math.round(100 * (1 - current_size / original_size));
  const fresh = (url: string) => place.link(version > 0 ? `${url}?v=${version}` : url);
  return (
    <li className={chosen ? "tile chosen" : "tile"}>
      <a href={fresh(image.image_url)} target="_blank" rel="noreferrer" title={`Open ${original_filename}`}>
        <img src={fresh(image.thumbnail_url)} alt={original_filename} loading="lazy" />
      </a>
      <label>
        <input type="checkbox" checked={chosen} onChange={onToggle} aria-label={`Select ${original_filename}`} />
        <span className="photo-text">
          <span className="photo-name">{original_filename}</span>
          <span className="quiet">
            {width} × {height} · {sizeInWords(current_size)}
            {saved > 0 && <em> −{saved} %</em>}
          </span>
          {source !== "web" && <span className="quiet">from {sourceInWords(source)}</span>}
        </span>
      </label>
    </li>
  );
}

export function UploadTile({ upload, onCancel }: { upload: ImageUpload; onCancel(): void }): JSX.Element {
  const { name, sent, error } = upload;
  return (
    <li className={error === undefined ? "tile uploading" : "tile unused"}>
      <div className="tile-wait">
        {error === undefined ? (
          <>
            <progress value={sent} max={1} aria-label={`Upload of ${name}`} />
            <span className="quiet">{Math.round(sent * 100)} %</span>
          </>
        ) : (
          <span className="advice">{error}</span>
        )}
      </div>
      <div className="tile-foot">
        <span className="photo-name">{name}</span>
        <button
          type="button"
          className="icon-button"
          aria-label={error === undefined ? `Cancel the upload of ${name}` : `Dismiss ${name}`}
          onClick={onCancel}
        >
          <Icon name="close" />
        </button>
      </div>
    </li>
  );
}
