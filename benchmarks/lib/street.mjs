/**
 * A street round a block of houses and photos along it, as features alone: exact truth, descriptors that resemble one
 * another as real ones do, and never the same place twice. For measuring what a new photo costs when there are many.
 */
import { seededRandom } from "@cairn/geometry";
import { allocateFeatures } from "../../packages/reconstruct/dist/features/features.js";

const STEP_M = 0.6;
const STEPS_ROUND = 1000;
const RADIUS_M = (STEP_M * STEPS_ROUND) / (2 * Math.PI);
const DISTANCE_M = 6;
const FOCAL_PX = 1440;
const WIDTH_PX = 1600;
const HEIGHT_PX = 1067;
const NOISE_PX = 0.4;
/** Part of the points in a photo of which a feature comes; the rest of the features are of nothing else. */
const FOUND = 0.7;
const POINT_SHARE = 0.85;

/** @param count photos @param features of each */
export function street(count, features) {
  const high = (DISTANCE_M * HEIGHT_PX) / FOCAL_PX + 2;
  const inView = (features * POINT_SHARE) / FOUND;
  const perMetre = inView / ((DISTANCE_M * WIDTH_PX) / FOCAL_PX);
  const random = seededRandom(7);
  const points = [];
  const around = 2 * Math.PI * (RADIUS_M + DISTANCE_M);
  for (let i = 0; i < perMetre * around * (high / (high - 2)); i++) {
    const angle = (i / (perMetre * around * (high / (high - 2)))) * 2 * Math.PI;
    const depth = RADIUS_M + DISTANCE_M + (i % 3 === 0 ? -1.5 * random() : 0.15 * random());
    points.push([depth * Math.sin(angle), high * (random() - 0.5), depth * Math.cos(angle), angle]);
  }
  const photoOf = (index) => {
    const turn = (index / STEPS_ROUND) * 2 * Math.PI;
    const wobble = seededRandom(1000 + index);
    const eye = [RADIUS_M * Math.sin(turn), 0.3 * Math.sin(index * 0.7), RADIUS_M * Math.cos(turn)];
    const yaw = turn + 0.15 * Math.sin(index * 0.31);
    const forward = [Math.sin(yaw), 0, Math.cos(yaw)];
    const right = [Math.cos(yaw), 0, -Math.sin(yaw)];
    const seen = [];
    const reach = 9 / (RADIUS_M + DISTANCE_M);
    const first = lowest(points, (turn - reach + 2 * Math.PI) % (2 * Math.PI));
    for (let k = 0; k < points.length; k++) {
      const id = (first + k) % points.length;
      const [x, y, z, angle] = points[id];
      const off = Math.abs(((angle - turn + 3 * Math.PI) % (2 * Math.PI)) - Math.PI);
      if (off > reach) break;
      const d = [x - eye[0], y - eye[1], z - eye[2]];
      const depth = d[0] * forward[0] + d[2] * forward[2];
      if (depth < 0.5 || wobble() > FOUND) continue;
      const u = (FOCAL_PX * (d[0] * right[0] + d[2] * right[2])) / depth + WIDTH_PX / 2 + NOISE_PX * normal(wobble);
      const v = (FOCAL_PX * d[1]) / depth + HEIGHT_PX / 2 + NOISE_PX * normal(wobble);
      if (u > 1 && v > 1 && u < WIDTH_PX - 1 && v < HEIGHT_PX - 1)
        seen.push([u, v, id, (1.5 + 6 * hash(id, 999) ** 4) * (DISTANCE_M / depth)]);
    }
    while (seen.length < features)
      seen.push([wobble() * WIDTH_PX, wobble() * HEIGHT_PX, -1 - seen.length - index * features, 1.6 + wobble()]);
    seen.length = features;
    seen.sort((p, q) => q[3] - p[3]);
    const found = allocateFeatures(features, 1, 0.5);
    for (const [k, [u, v, id, scale]] of seen.entries()) {
      found.x[k] = u;
      found.y[k] = v;
      found.scale[k] = scale;
      describe(found.descriptors, k * 128, id, wobble);
    }
    return found;
  };
  const rgb = new Uint8Array(WIDTH_PX * HEIGHT_PX * 3).fill(90);
  const camera = {
    model: "PINHOLE",
    width: WIDTH_PX,
    height: HEIGHT_PX,
    params: [FOCAL_PX, FOCAL_PX, WIDTH_PX / 2, HEIGHT_PX / 2],
  };
  const photos = Array.from({ length: count }, (_, index) => ({
    image: `street-${index}`,
    name: `${index}.jpg`,
    rgb,
    widthPx: WIDTH_PX,
    heightPx: HEIGHT_PX,
    fullWidthPx: WIDTH_PX,
    fullHeightPx: HEIGHT_PX,
    digest: String(index),
    camera,
  }));
  return { photos, featuresOf: photoOf };
}

/** First point at or beyond an angle; points are in the order of their angles. */
function lowest(points, angle) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][3] < angle) low = middle + 1;
    else high = middle;
  }
  return low % points.length;
}

function hash(id, salt) {
  let h = Math.imul(id ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(salt + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
}

/** RootSIFT-like: few large values, many small ones, the point's own and a little of this photo's. */
function describe(out, at, id, random) {
  const row = new Float64Array(128);
  let sum = 0;
  for (let k = 0; k < 128; k++) {
    row[k] = hash(id, k) ** 2 * (0.6 + 0.8 * random()) + 0.03 * random();
    sum += row[k] * row[k];
  }
  const scale = 512 / Math.sqrt(sum);
  for (let k = 0; k < 128; k++) out[at + k] = Math.min(255, Math.round(row[k] * scale));
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(random() || 1e-12)) * Math.cos(2 * Math.PI * random());
}
