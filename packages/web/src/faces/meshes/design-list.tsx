/** Rows of the history: what each design is, how old, and whether it is new. Rule MSH-34. */
import { type JSX, useState } from "react";
import { Icon } from "../../icons.tsx";
import { count, sizeInWords } from "../../words.ts";
import type { Place } from "../shared/place.ts";
import { timeAgo, timeOfDay } from "../shared/times.ts";
import type { Design } from "./design-feed.ts";

/** Counted over the whole age, as the server counts it (MSH-33). */
export const NEW_SECONDS = 60;
export const RECENT_SECONDS = 3600;

type DesignListProps = {
  place: Place;
  designs: readonly Design[];
  nowSeconds: number;
  selected: string | undefined;
  onSelect(design: Design): void;
};

export function designKey({ collection, design_id }: Pick<Design, "collection" | "design_id">): string {
  return `${collection}/${design_id}`;
}

export function DesignList({ place, designs, nowSeconds, selected, onSelect }: DesignListProps): JSX.Element {
  return (
    <ul className="photos designs" aria-label="Designs">
      {designs.map((design) => {
        const key = designKey(design);
        const { design_id, collection, created_at, file_size, face_count, vertex_count, revision } = design;
        const ageSeconds = Math.max(0, nowSeconds - created_at);
        return (
          <li key={key}>
            <button
              type="button"
              aria-pressed={key === selected}
              title={timeOfDay(created_at)}
              onClick={() => onSelect(design)}
            >
              <Thumbnail key={design.thumbnail_url} place={place} url={design.thumbnail_url} />
              <span className="photo-text">
                <span className="photo-name">
                  <span>{design_id}</span>
                  {ageSeconds < NEW_SECONDS && <em className="badge-new">NEW</em>}
                </span>
                <span className="photo-state">
                  {face_count === null || vertex_count === null
                    ? "No mesh that can be read"
                    : `${count(face_count, "face")} · ${count(vertex_count, "vertex", "vertices")}`}
                </span>
                <span className="photo-state">
                  <time dateTime={new Date(created_at * 1000).toISOString()}>{timeAgo(ageSeconds)}</time>
                  <span> · {sizeInWords(file_size)}</span>
                  {revision > 1 && <span> · rev. {revision}</span>}
                  {collection !== "current" && <span> · {collection}</span>}
                </span>
              </span>
              <span className="view-3d">View 3D</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

function Thumbnail({ place, url }: { place: Place; url: string | null | undefined }): JSX.Element {
  const [failed, setFailed] = useState(false);
  if (!url || failed) {
    return (
      <span className="no-picture">
        <Icon name="box" />
      </span>
    );
  }
  return <img src={place.link(url)} alt="" loading="lazy" width={60} height={45} onError={() => setFailed(true)} />;
}
