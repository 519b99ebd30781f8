/** What a session is made with; it cannot be changed afterwards. Rules DEP-8 to DEP-10. */
import type { JSX } from "react";

export type Params = {
  process_res: number;
  conf_thresh_percentile: number;
  num_max_points: number;
  show_cameras: boolean;
};

export const USUAL_PARAMS = {
  process_res: 504,
  conf_thresh_percentile: 10,
  num_max_points: 1_000_000,
  show_cameras: true,
} as const satisfies Params;

type DepthParamsProps = { params: Params; locked: boolean; onChange(params: Params): void };

export function DepthParamsFields({ params, locked, onChange }: DepthParamsProps): JSX.Element {
  const { process_res, conf_thresh_percentile, num_max_points, show_cameras } = params;
  const change = (next: Partial<Params>) => onChange({ ...params, ...next });
  return (
    <fieldset className="params" disabled={locked}>
      <legend>{locked ? "Parameters of this session" : "Parameters"}</legend>
      <NumberField
        label="Longer side"
        value={process_res}
        min={56}
        max={4096}
        unit="px"
        onChange={(n) => change({ process_res: n })}
      />
      <NumberField
        label="Most points"
        value={num_max_points}
        min={1}
        max={10_000_000}
        unit=""
        onChange={(n) => change({ num_max_points: n })}
      />
      <label className="field">
        <span>Leave out the least certain</span>
        <output>{conf_thresh_percentile} %</output>
        <input
          type="range"
          min={0}
          max={90}
          step={5}
          value={conf_thresh_percentile}
          onChange={({ target }) => change({ conf_thresh_percentile: target.valueAsNumber })}
        />
      </label>
      <label className="field">
        <span>Cameras in the file</span>
        <input
          type="checkbox"
          className="switch"
          checked={show_cameras}
          onChange={({ target }) => change({ show_cameras: target.checked })}
        />
      </label>
    </fieldset>
  );
}

type NumberFieldProps = {
  label: string;
  value: number;
  min: number;
  max: number;
  unit: string;
  onChange(value: number): void;
};

/** Whole numbers only; what is out of range is drawn to its end when one leaves the field. */
function NumberField({ label, value, min, max, unit, onChange }: NumberFieldProps): JSX.Element {
  return (
    <label className="field">
      <span>{label}</span>
      <span className="number">
        <input
          key={value}
          type="text"
          inputMode="numeric"
          className="text-field"
          defaultValue={value}
          onBlur={({ target }) => {
            const wanted = Math.round(Number(target.value.replace(/[\s,]/g, "")));
            const next = Number.isFinite(wanted) ? Math.min(max, Math.max(min, wanted)) : value;
            target.value = String(next);
            onChange(next);
          }}
        />
        {unit}
      </span>
    </label>
  );
}
