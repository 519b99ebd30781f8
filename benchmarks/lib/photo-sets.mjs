/**
 * Sets of photos with known cameras: folders of `../shared/datasets` (or CAIRN_DATASETS) with `images/` and, where
 * there is one, `gt.json`, and the sample capture under the name `sample`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "@cairn/geometry";
import { openImageDecoder } from "@cairn/images";
import { DECODE_SIDE_PX } from "@cairn/reconstruct";
import { readManifest, readTruth, samplePhotosDir } from "@cairn/sample";
import { root } from "../../tools/root.mjs";

/** Where the truth of a set is, and what it tells. */
const TRUTHS = [
  { file: "gt.json", unit: "m", rotations: true },
  { file: "gt_gps.json", unit: "m", rotations: false },
  { file: "colmap_reference.json", unit: "%", rotations: true },
];

/**
 * @param name a set, or several joined by `+`: photos of several places, taken as one set without a truth of its own
 * @param every takes each so-manieth photo only, as of somebody who walks faster
 * @param first photos of a place at most
 * @returns undefined where the set is not there
 */
export function openSet(name, { every = 1, first: most = Number.POSITIVE_INFINITY } = {}) {
  const places = name.split("+").map(openPlace);
  if (places.includes(undefined)) return undefined;
  for (const place of places) {
    place.names = place.names.filter((_, i) => i % every === 0).slice(0, most);
    const known = (place.truth?.poses ?? []).filter(({ image }) => place.names.includes(image));
    // Photos of different places may have the same name.
    place.imageOf = (file) => (places.length > 1 ? `${place.name}/${file}` : file);
    place.images = place.names.map(place.imageOf);
    if (place.truth) place.truth.poses = known.map((pose) => ({ ...pose, image: place.imageOf(pose.image) }));
  }
  const [first] = places;
  return { ...first, name, places, ...(places.length > 1 && { truth: undefined }) };
}

function openPlace(name) {
  if (name === "sample") {
    const names = readManifest().photos.map((photo) => photo.name);
    return { name, folder: samplePhotosDir, names, truth: { poses: readTruth().poses, unit: "m", rotations: true } };
  }
  const home = join(process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets"), name);
  const folder = ["images", "frames"].map((each) => join(home, each)).find(existsSync);
  if (!folder) return undefined;
  const names = readdirSync(folder)
    .filter((file) => /\.(jpe?g|png)$/i.test(file) && !/\.depth\.png$/.test(file))
    .sort();
  const found = TRUTHS.find(({ file }) => existsSync(join(home, file)));
  const { poses } = found ? JSON.parse(readFileSync(join(home, found.file), "utf8")) : {};
  return { name, folder, names, ...(found && { truth: { poses, unit: found.unit, rotations: found.rotations } }) };
}

/** The calibration of a set whose photos share one, COLMAP's convention; undefined where nobody measured it. */
export function knownCamera({ name, truth }) {
  const [first] = truth?.poses ?? [];
  if (!first?.K || !first.width) return undefined;
  const { K, width, height } = first;
  // The surveyed sets put pixel centres at whole numbers, the sample and COLMAP at halves.
  const half = name === "sample" ? 0 : 0.5;
  return { model: "PINHOLE", width, height, params: [K[0], K[4], K[2] + half, K[5] + half] };
}

/** Decodes all photos of a set as the server does. `rgb` lies in shared memory: engines read it, none copies it. */
export async function readPhotos({ places }, { maxSidePx = DECODE_SIDE_PX } = {}) {
  const photos = [];
  for (const place of places) photos.push(...(await readPlace(place, maxSidePx)));
  return photos;
}

async function readPlace({ folder, names, imageOf = (file) => file }, maxSidePx) {
  const decoder = openImageDecoder({ processes: 1 });
  const photos = [];
  try {
    for (const name of names) {
      const bytes = readFileSync(join(folder, name));
      const { focalPx } = await decoder.inspect(bytes);
      const { rgb, ...size } = await decoder.decode(bytes, { maxSidePx });
      const shared = new Uint8Array(new SharedArrayBuffer(rgb.length));
      shared.set(rgb);
      const image = imageOf(name);
      photos.push({ image, name, digest: image, rgb: shared, ...size, exifFocalPx: focalPx });
    }
  } finally {
    await decoder.close();
  }
  return photos;
}

/** @param order `file`, `reversed` or `shuffle-SEED` (Fisher and Yates) */
export function inOrder(items, order) {
  if (order === "file") return [...items];
  if (order === "reversed") return [...items].reverse();
  const seed = /^shuffle-(\d+)$/.exec(order)?.[1];
  if (!seed) throw new RangeError(`no order is called ${order}`);
  const random = seededRandom(Number(seed));
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled;
}
