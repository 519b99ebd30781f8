/** How images are to be made smaller: a preset of the server's, or figures of one's own. Rules IMG-53, IMG-54. */
import { type JSX, type RefObject, useEffect, useState } from "react";
import { count, inWords } from "../../words.ts";
import { isRecord, type Place } from "../shared/place.ts";
import type { Compression, Preset } from "./image-types.ts";

type CompressDialogProps = {
  ref: RefObject<HTMLDialogElement | null>;
  place: Place;
  images: number;
  onCompress(how: Compression): void;
};

const FORMATS = ["JPEG", "WEBP", "PNG"] as const;

export function CompressDialog({ ref, place, images, onCompress }: CompressDialogProps): JSX.Element {
  const [presets, setPresets] = useState<Preset[]>([]);
  const [problem, setProblem] = useState<string>();
  const [preset, setPreset] = useState("web");
  const [quality, setQuality] = useState(80);
  const [sidePx, setSidePx] = useState(1920);
  const [format, setFormat] = useState<(typeof FORMATS)[number]>("JPEG");

  useEffect(() => {
    const stop = new AbortController();
    place.json("api/v1/compression/presets", { signal: stop.signal }).then(
      (body) => setPresets(isRecord(body) ? (body.presets as Preset[]) : []),
      (error: unknown) => {
        if (!stop.signal.aborted) setProblem(inWords(error));
      },
    );
    return () => stop.abort();
  }, [place]);

  const custom = preset === "custom";
  const submit = () =>
    onCompress(custom ? { preset: "custom", quality, max_width: sidePx, max_height: sidePx, format } : { preset });
  return (
    <dialog ref={ref} className="card compress" aria-labelledby="compress-title">
      <form method="dialog" onSubmit={submit}>
        <h2 id="compress-title">Compress {count(images, "image")}</h2>
        {problem && <p className="problem">{problem}</p>}
        <div className="presets">
          {[...presets, OWN].map(({ name, label, description }) => (
            <label key={name} className="preset">
              <input
                type="radio"
                name="preset"
                value={name}
                checked={preset === name}
                onChange={() => setPreset(name)}
              />
              <span>
                <strong>{label}</strong>
                <span className="quiet">{description}</span>
              </span>
            </label>
          ))}
        </div>
        {custom && (
          <fieldset className="params">
            <label className="field">
              <span>Quality</span>
              <output>{quality}</output>
              <input
                type="range"
                min={10}
                max={100}
                step={5}
                value={quality}
                onChange={({ target }) => setQuality(target.valueAsNumber)}
              />
            </label>
            <label className="field">
              <span>Longest side, px</span>
              <input
                type="number"
                className="text-field"
                min={100}
                max={16384}
                required
                value={sidePx}
                onChange={({ target }) => setSidePx(target.valueAsNumber || 0)}
              />
            </label>
            <label className="field">
              <span>Format</span>
              <select value={format} onChange={({ target }) => setFormat(target.value as typeof format)}>
                {FORMATS.map((each) => (
                  <option key={each}>{each}</option>
                ))}
              </select>
            </label>
          </fieldset>
        )}
        <div className="actions">
          <button type="button" className="button" onClick={() => ref.current?.close()}>
            Leave them
          </button>
          <button type="submit" className="button primary">
            Compress
          </button>
        </div>
      </form>
    </dialog>
  );
}

const OWN: Preset = { name: "custom", label: "My own figures", description: "Quality, size and format as you say" };
