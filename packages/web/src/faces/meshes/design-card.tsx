/** What is known of the chosen design, and what one can do with it. */
import type { JSX } from "react";
import { Icon } from "../../icons.tsx";
import { count, sizeInWords } from "../../words.ts";
import type { Place } from "../shared/place.ts";
import { timeOfDay } from "../shared/times.ts";
import type { Design } from "./design-feed.ts";
import { at, type LoadedDesign, type Metadata } from "./design-view.ts";

type DesignCardProps = {
  place: Place;
  design: Design;
  loaded: LoadedDesign | undefined;
  revision: number | undefined;
  onRevision(revision: number | undefined): void;
  zUp: boolean;
  onZUp(zUp: boolean): void;
  wireframe: boolean;
  onWireframe(wireframe: boolean): void;
  factsOpen: boolean;
  onClose(): void;
};

const numbers = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });

export function DesignCard(props: DesignCardProps): JSX.Element {
  const { place, design, loaded, revision, zUp, wireframe } = props;
  const { metadata, problems = [] } = loaded ?? {};
  return (
    <section className="card design-card" aria-label={`Design ${design.design_id}`}>
      <header>
        <strong>{design.design_id}</strong>
        <button type="button" className="icon-button" aria-label="Close" onClick={props.onClose}>
          <Icon name="close" />
        </button>
      </header>
      {!loaded && <p className="quiet">Loading…</p>}
      {problems.map((problem) => (
        <p key={problem} className="advice">
          {problem}
        </p>
      ))}
      {metadata && (
        <details open={props.factsOpen}>
          <summary>Figures</summary>
          <dl className="facts">
            {factRows(metadata, design).map(([name, text, tone]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd className={tone}>{text}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      <div className="tools">
        <a className="button small" href={place.link(at(design.url, revision))} download>
          <Icon name="download" /> Download
        </a>
        <button type="button" className="button small" aria-pressed={zUp} onClick={() => props.onZUp(!zUp)}>
          Z up
        </button>
        <button
          type="button"
          className="button small"
          aria-pressed={wireframe}
          onClick={() => props.onWireframe(!wireframe)}
        >
          Wireframe
        </button>
        {design.revision > 1 && (
          <select
            aria-label="Revision"
            value={revision ?? design.revision}
            onChange={({ target }) => {
              const chosen = Number(target.value);
              props.onRevision(chosen === design.revision ? undefined : chosen);
            }}
          >
            {Array.from({ length: design.revision }, (_, i) => design.revision - i).map((each) => (
              <option key={each} value={each}>
                Revision {each}
                {each === design.revision && " (newest)"}
              </option>
            ))}
          </select>
        )}
      </div>
    </section>
  );
}

type Row = readonly [name: string, text: string, tone?: string];

function factRows(facts: Metadata, design: Design): Row[] {
  const { vertex_count, face_count, bounds, volume, surface_area, is_watertight } = facts;
  const rows: (Row | undefined)[] = [
    row("Faces", face_count, (n) => count(n, "face")),
    row("Vertices", vertex_count, (n) => count(n, "vertex", "vertices")),
    row("Size", bounds, ([min, max]) => max.map((high, i) => numbers.format(high - (min[i] ?? 0))).join(" × ")),
    row("From", bounds, ([min]) => min.map((value) => numbers.format(value)).join(", ")),
    row("To", bounds, ([, max]) => max.map((value) => numbers.format(value)).join(", ")),
    row("Volume", volume, (value) => numbers.format(value)),
    row("Area", surface_area, (value) => numbers.format(value)),
    row("Watertight", is_watertight, (closed) => (closed ? "Yes" : "No"), is_watertight ? "good" : "warn"),
    row("File", facts.file_size ?? design.file_size, sizeInWords),
    row("Made", facts.created_at ?? design.created_at, timeOfDay),
  ];
  return rows.filter((each) => each !== undefined);
}

/** Figures come from files of others, too: what is not as expected is left out. */
function row<Value>(
  name: string,
  value: Value | null | undefined,
  text: (value: Value) => string,
  tone?: string,
): Row | undefined {
  if (value === null || value === undefined) return undefined;
  try {
    return tone === undefined ? [name, text(value)] : [name, text(value), tone];
  } catch {
    return undefined;
  }
}
