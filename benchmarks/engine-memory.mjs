/**
 * What the embedded engine holds in memory while photos come, and at its peak, with all threads: photos are cropped out
 * of those of a set, each at another place, so that there are as many as wanted and all have a pose.
 *
 *     node benchmarks/engine-memory.mjs [--photos 24] [--preset balanced] [--set fountain-P11] [--points]
 *
 * With `--points` the dense points of each photo are made as it comes, as on a server; without, only what is needed to
 * go on (as `cairn reconstruct` does). The rebuild at the end makes all points. Five hundred photos of 12 megapixels
 * are to stay within 4 GB: the engine gets them with 1600 pixels on the long side, whatever they had.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom } from "@cairn/geometry";
import { DECODE_SIDE_PX, openEmbeddedEngine } from "@cairn/reconstruct";
import sharp from "sharp";
import { dataset, machine } from "./support.mjs";

const { values: options } = parseArgs({
  options: {
    photos: { type: "string", default: "24" },
    preset: { type: "string", default: "balanced" },
    set: { type: "string", default: "fountain-P11" },
    points: { type: "boolean", default: false },
  },
});
const count = Number(options.photos);
const folder = join(dataset(options.set), "images");
const names = readdirSync(folder).sort();
/** The calibration of the Strecha sets at 1600 pixels. */
const LENS = [1437.229, 1440.117, 792.29, 524.8];
const SMALLEST_CROP = 0.85;
const MIB = 2 ** 20;

async function photoOf(index) {
  const random = seededRandom(index + 1);
  const name = names[index % names.length];
  const { width, height } = await sharp(join(folder, name)).metadata();
  // The first round shows the photos whole.
  const part = index < names.length ? 1 : SMALLEST_CROP + (1 - SMALLEST_CROP) * random();
  const crop = { width: Math.round(width * part), height: Math.round(height * part) };
  crop.left = Math.floor(random() * (width - crop.width + 1));
  crop.top = Math.floor(random() * (height - crop.height + 1));
  const { data, info } = await sharp(join(folder, name))
    .extract(crop)
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const [toFull, scale] = [width / DECODE_SIDE_PX, info.width / crop.width];
  const [fx, fy, cx, cy] = LENS.map((value) => value * toFull);
  const params = [fx, fy, cx - crop.left, cy - crop.top].map((value) => value * scale);
  return {
    image: `photo-${index}`,
    name,
    rgb: new Uint8Array(data),
    widthPx: info.width,
    heightPx: info.height,
    fullWidthPx: info.width,
    fullHeightPx: info.height,
    digest: `${options.set} ${index}`,
    camera: { model: "PINHOLE", width: info.width, height: info.height, params },
  };
}

const mib = (bytes) => `${Math.round(bytes / MIB)} MiB`;
const peakBytes = () => process.resourceUsage().maxRSS * 1024;

console.log(`${machine()}, ${count} photos of ${options.set}, preset ${options.preset}`);
const engine = await openEmbeddedEngine({ preset: options.preset });
try {
  let posed = 0;
  for (let index = 0; index < count; index++) {
    const { verdicts } = await engine.add(await photoOf(index), { points: options.points });
    posed += verdicts.filter(({ verdict, image }) => verdict === "registered" && image === `photo-${index}`).length;
    const last = index === count - 1;
    if (last || (index + 1) % Math.max(1, Math.floor(count / 8)) === 0) {
      console.log(
        `${String(index + 1).padStart(5)} photos: ${mib(process.memoryUsage().rss)} now, ${mib(peakBytes())} at the peak`,
      );
    }
  }
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const { cameras, points } = await engine.rebuild();
  const { user } = process.cpuUsage(cpu);
  console.log(
    `rebuild: ${cameras.length} cameras, ${(points.positions.length / 3e6).toFixed(2)} M points, ${((performance.now() - startMs) / 1000).toFixed(1)} s wall, ${(user / 1e6).toFixed(1)} s CPU`,
  );
  console.log(`peak ${mib(peakBytes())} (bound 4096 MiB for 500 photos); ${posed} photos had a pose at once`);
} finally {
  await engine.close();
}
