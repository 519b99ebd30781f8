/** What the model's points are coloured by, in words and colours. */
import type { ColorMode, Legend as LegendData } from "@cairn/viewer";
import type { JSX } from "react";

export const COLOR_MODES = {
  photo: "Photo colour",
  height: "Height",
  age: "Age",
  contributor: "Contributor",
  confidence: "Confidence",
} as const satisfies Record<ColorMode, string>;

export function Legend({ mode, legend }: { mode: ColorMode; legend: LegendData }): JSX.Element {
  return (
    <section className="card legend" aria-label={`Colours: ${COLOR_MODES[mode]}`}>
      <strong>{COLOR_MODES[mode]}</strong>
      {legend.kind === "scale" ? (
        <>
          <div className="scale" style={{ background: `linear-gradient(to right, ${legend.colors.join(", ")})` }} />
          <div className="ends">
            <span>{legend.low}</span>
            <span>{legend.high}</span>
          </div>
        </>
      ) : (
        <ul>
          {legend.entries.map(({ name, color }) => (
            <li key={name}>
              <i style={{ background: color }} />
              {name}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
