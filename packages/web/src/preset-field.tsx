/** How much is made of each photo: chosen where a space is made, and changed where it is looked at. */
import type { Preset } from "@cairn/protocol";
import type { JSX } from "react";

const PRESETS = {
  sparse: "Sparse, soonest",
  fast: "Fast",
  balanced: "Balanced",
  fine: "Fine, slowest",
} as const satisfies Record<Preset, string>;

/** `preset` left out: whatever the server does by itself. */
type PresetFieldProps = { preset: Preset | undefined; disabled?: boolean; onPreset(preset: Preset): void };

export function PresetField({ preset, disabled = false, onPreset }: PresetFieldProps): JSX.Element {
  return (
    <label className="field">
      <span>Detail of the model</span>
      <select value={preset ?? ""} disabled={disabled} onChange={({ target }) => onPreset(target.value as Preset)}>
        {preset === undefined && <option value="">As the server is set</option>}
        {Object.entries(PRESETS).map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
