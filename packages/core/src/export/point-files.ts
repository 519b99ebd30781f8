/** The shown points as one file: PLY, LAS, CSV. Rules: docs/spec/exchange.md. */
import { setImmediate } from "node:timers/promises";
import { modelFromLayer, movePoints } from "@cairn/cloud";
import {
  CSV_HEADER,
  csvRun,
  LAS12_MAX_POINTS,
  lasHeader,
  lasPointBytes,
  lasRun,
  type PointRun,
  plyHeader,
  plyPointBytes,
  plyRun,
} from "@cairn/formats";
import { CairnError, type Georeference, type Vec3 } from "@cairn/protocol";
import type { ExportOptions } from "./export-options.ts";
import { withNormals } from "./normals.ts";
import { photoCentres } from "./photo-centres.ts";
import { openShownPoints, type ShownPoints } from "./shown-points.ts";

/** Text takes far longer than bytes: written a whole node at a time it would hold up everyone else. */
const TEXT_POINTS = 8192;

/** The model frame; `double` where `float` would move a point by more than a quarter of its step. */
export async function* exportPly(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const points = await openShownPoints(options);
  const double = Math.max(...[...points.min, ...points.max].map(Math.abs)) * 2 ** -24 > points.step / 4;
  const cameras = points.ofPhotos ? photoCentres(options.space.log.snapshot().state) : [];
  const shape = { count: points.count, double, normals: points.normals || cameras.length > 0 };
  const header = plyHeader(shape);
  options.onSize?.(header.length + shape.count * plyPointBytes(shape));
  yield header;
  const runs = withNormals(told(points, options, "writing"), cameras, options.signal);
  for await (const run of runs) yield plyRun(run, shape);
}

export async function* exportCsv(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const points = await openShownPoints(options);
  yield new TextEncoder().encode(CSV_HEADER);
  const decimals = Math.min(12, Math.max(0, Math.ceil(-Math.log10(points.step / 4))));
  for await (const run of told(points, options, "writing")) {
    for (let from = 0; from < run.count; from += TEXT_POINTS) {
      yield csvRun(pointsOf(run, from, Math.min(run.count, from + TEXT_POINTS)), decimals);
      await setImmediate();
    }
  }
}

function pointsOf({ positions, colors, photos, confidences, normals }: PointRun, from: number, to: number): PointRun {
  return {
    count: to - from,
    positions: positions.subarray(3 * from, 3 * to),
    colors: colors.subarray(3 * from, 3 * to),
    photos: typeof photos === "number" ? photos : photos.subarray(from, to),
    confidences: confidences?.subarray(from, to),
    normals: normals?.subarray(3 * from, 3 * to),
  };
}

/**
 * The model frame, or metres east, north and up when the model has a place on the earth (then `z` is the height above
 * the ellipsoid at the origin). The points are read twice, for the header says the box of what follows.
 */
export async function* exportLas(options: ExportOptions, version: "1.2" | "1.4"): AsyncGenerator<Uint8Array> {
  const points = await openShownPoints(options);
  if (version === "1.2" && points.count > LAS12_MAX_POINTS) {
    throw new CairnError("export.too_large", { points: points.count, format: "las", instead: "las14" });
  }
  const place = points.georeference;
  const enu = place && enuFromModel(place);
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  for await (const { positions } of told(points, options, "measuring")) {
    if (enu) movePoints(enu, positions, positions);
    for (let i = 0; i < positions.length; i += 3) {
      for (let axis = 0; axis < 3; axis++) {
        const value = positions[i + axis]!;
        if (value < min[axis]!) min[axis] = value;
        if (value > max[axis]!) max[axis] = value;
      }
    }
  }
  const header = lasHeader({
    version,
    count: points.count,
    min,
    max,
    step: points.step * (place?.enuFromModel.scale ?? 1),
    origin: place,
    created: new Date(),
  });
  options.onSize?.(header.bytes.length + points.count * lasPointBytes(header));
  yield header.bytes;
  for await (const run of told(points, options, "writing")) {
    if (enu) movePoints(enu, run.positions, run.positions);
    yield lasRun(run, header);
  }
}

/** 4×4, column-major; up from the ellipsoid. */
function enuFromModel({ enuFromModel: transform, altitudeM }: Georeference): Float64Array {
  const [east, north, up] = transform.translation;
  return modelFromLayer({ transform: { ...transform, translation: [east, north, up + altitudeM] } });
}

/** The points, and word of how many are through. */
export async function* told(
  points: ShownPoints,
  { onProgress }: ExportOptions,
  stage: string,
): AsyncGenerator<PointRun> {
  let done = 0;
  onProgress?.(stage, done, points.count);
  for await (const run of points.read()) {
    yield run;
    done += run.count;
    onProgress?.(stage, done, points.count);
  }
}
