/**
 * Places with repeated structure, which fool a naive reconstruction: a building whose front and back look alike, a
 * corridor of equal doors. Features that look alike are matched as a real matcher would: not at all where one photo
 * shows two of them, for then neither stands out.
 */
import { type Random, randomNormal, seededRandom } from "@cairn/geometry";
import type { Kernels } from "../embedded/engine-core.ts";
import type { Photo } from "../engine.ts";
import { allocateFeatures } from "../features/features.ts";
import { answerTwoView } from "../mapper/two-view.ts";
import { lookAt, unit, type Vec } from "./look-at.ts";
import { describe, GREY, greySegments, HEIGHT_PX, type Shot, type Synthetic, WIDTH_PX } from "./synthetic.ts";

const FOCAL_PX = 1080;
const NOISE_PX = 0.4;
/** A surface seen from flatter than this shows no features. */
const MIN_FACING = 0.25;
/** Features are found again from about so far to the side. */
const MAX_TURN_COS = Math.cos((40 * Math.PI) / 180);
/** Chance that a feature is found in a photo at all. */
const FOUND = 0.75;

/** A point of a surface that faces along `normal`; equal `look`s look alike. */
type Spot = { readonly at: Vec; readonly normal: Vec; readonly look: number };

type Seen = { readonly spot: number; readonly x: number; readonly y: number };

function photosOfSpots(spots: readonly Spot[], shots: readonly Shot[], farthest: number, seed: number): Synthetic {
  const random = seededRandom(seed);
  const truth = shots.map(({ eye, target }) => ({ rows: lookAt(eye, target), eye }));
  const seenBy = shots.map((_, index) => observe(spots, truth[index].rows, truth[index].eye, farthest, random));
  const indexOf = new WeakMap<Uint8Array, number>();
  const features = seenBy.map((seen, index) => {
    const found = allocateFeatures(seen.length, 1, 0.5);
    for (const [k, { spot, x, y }] of seen.entries()) {
      found.x[k] = x;
      found.y[k] = y;
      found.scale[k] = 2;
      describe(found.descriptors.subarray(k * 128, k * 128 + 128), spots[spot].look);
    }
    indexOf.set(found.descriptors, index);
    return found;
  });
  const photos = shots.map((_, index): Photo => {
    const params = [FOCAL_PX, FOCAL_PX, WIDTH_PX / 2, HEIGHT_PX / 2];
    return {
      image: `photo-${index}`,
      name: `${index}.jpg`,
      rgb: GREY,
      widthPx: WIDTH_PX,
      heightPx: HEIGHT_PX,
      fullWidthPx: WIDTH_PX,
      fullHeightPx: HEIGHT_PX,
      digest: String(index),
      camera: { model: "PINHOLE", width: WIDTH_PX, height: HEIGHT_PX, params },
    };
  });
  const onlyOne = seenBy.map((seen) => {
    const places = new Map<number, number>();
    for (const [k, { spot }] of seen.entries()) {
      const { look } = spots[spot];
      places.set(look, places.has(look) ? -1 : k);
    }
    return places;
  });
  /** Where a photo sees a spot from, in the spot's own frame: what it looks like from there. */
  const from = (view: number, spot: number): Vec => {
    const { at, normal } = spots[spot];
    const { eye } = truth[view];
    const d = unit([eye[0] - at[0], eye[1] - at[1], eye[2] - at[2]]);
    // Along the normal, along the horizontal beside it, and up.
    return [d[0] * normal[0] + d[2] * normal[2], d[0] * -normal[2] + d[2] * normal[0], d[1]];
  };
  const matches = (a: number, b: number): Uint32Array => {
    const found: number[] = [];
    for (const [look, k] of onlyOne[a]) {
      const other = onlyOne[b].get(look) ?? -1;
      if (k < 0 || other < 0) continue;
      const [p, q] = [from(a, seenBy[a][k].spot), from(b, seenBy[b][other].spot)];
      if (p[0] * q[0] + p[1] * q[1] + p[2] * q[2] >= MAX_TURN_COS) found.push(k, other);
    }
    return Uint32Array.from(found);
  };
  let next = 0;
  const kernels: Kernels = {
    extract: async () => features[next++],
    segments: async () => greySegments(),
    matchMany: async (a, others) =>
      others.map((other) => matches(indexOf.get(a.descriptors)!, indexOf.get(other.descriptors)!)),
    verifyMany: async (questions) => questions.map((question) => question && answerTwoView(question)),
    async close() {},
  };
  return { kernels, photos, shots, truth };
}

function observe(
  spots: readonly Spot[],
  rows: readonly [Vec, Vec, Vec],
  eye: Vec,
  farthest: number,
  random: Random,
): Seen[] {
  const seen: Seen[] = [];
  for (const [spot, { at, normal }] of spots.entries()) {
    const d: Vec = [at[0] - eye[0], at[1] - eye[1], at[2] - eye[2]];
    const distance = Math.hypot(...d);
    const facing = -(d[0] * normal[0] + d[1] * normal[1] + d[2] * normal[2]) / distance;
    const [u, v, depth] = rows.map((row) => row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
    if (random() > FOUND || facing < MIN_FACING || distance > farthest || depth < 0.5) continue;
    const x = (FOCAL_PX * u) / depth + WIDTH_PX / 2 + NOISE_PX * randomNormal(random);
    const y = (FOCAL_PX * v) / depth + HEIGHT_PX / 2 + NOISE_PX * randomNormal(random);
    if (x > 1 && y > 1 && x < WIDTH_PX - 1 && y < HEIGHT_PX - 1) seen.push({ spot, x, y });
  }
  return seen;
}

/** `n` photos all around a building whose front and back look alike; what stands before each side is its own. */
export function twinFacades(n: number, { seed = 1, alike = 400, own = 400 } = {}): Synthetic {
  const random = seededRandom(seed);
  const spots: Spot[] = [];
  let look = 0;
  const sides = [
    { normal: [0, 0, -1], half: 5, away: 3 },
    { normal: [1, 0, 0], half: 3, away: 5 },
    { normal: [0, 0, 1], half: 5, away: 3 },
    { normal: [-1, 0, 0], half: 3, away: 5 },
  ] as const;
  const place = (normal: Vec, along: number, out: number, y: number): Vec => [
    normal[0] * out - normal[2] * along,
    y,
    normal[2] * out + normal[0] * along,
  ];
  const twins = Array.from({ length: alike }, () => [random(), random(), random()] as const);
  const twinLook = look;
  look += alike;
  for (const [index, { normal, half, away }] of sides.entries()) {
    for (let k = 0; k < alike; k++) {
      const [p, q, r] = index % 2 === 0 ? twins[k] : [random(), random(), random()];
      const at = place(normal, half * (2 * p - 1), away - 0.5 * q, 4 * (r - 0.5));
      spots.push({ at, normal, look: index % 2 === 0 ? twinLook + k : look++ });
    }
    for (let k = 0; k < own; k++) {
      const at = place(normal, 1.6 * half * (2 * random() - 1), away + 3 * random(), 4 * random() - 2.5);
      spots.push({ at, normal, look: look++ });
    }
  }
  const shots = Array.from({ length: n }, (_, i): Shot => {
    const angle = (2 * Math.PI * i) / n + 0.02 * randomNormal(random);
    const eye: Vec = [12 * Math.sin(angle), 0.4 * Math.sin(5 * i), -11 * Math.cos(angle)];
    return { eye, target: [0.3 * Math.sin(3 * i), 0, 0.3 * Math.cos(7 * i)] };
  });
  return photosOfSpots(spots, shots, 40, seed);
}

/** `n` photos along a corridor of equal doors; what hangs between them is each wall's own. */
export function corridor(n: number, { seed = 1, doors = 6, alike = 220, own = 360 } = {}): Synthetic {
  const random = seededRandom(seed);
  const spots: Spot[] = [];
  const pitch = 4;
  const door = Array.from({ length: alike }, () => [random(), random(), random()] as const);
  let look = alike;
  const normal: Vec = [0, 0, -1];
  for (let d = 0; d < doors; d++) {
    for (const [k, [p, q, r]] of door.entries()) {
      spots.push({ at: [d * pitch + 2.4 * p, 2.6 * (q - 0.5), 0.4 * r], normal, look: k });
    }
    for (let k = 0; k < own; k++) {
      const at: Vec = [d * pitch + 2.4 + 1.6 * random(), 2.6 * (random() - 0.5), 0.6 * random()];
      spots.push({ at, normal, look: look++ });
    }
  }
  const length = (doors - 1) * pitch;
  const shots = Array.from({ length: n }, (_, i): Shot => {
    const x = 1 + (length * i) / (n - 1);
    return { eye: [x, 0.15 * Math.sin(3 * i), -3.2 + 0.3 * Math.sin(2 * i)], target: [x + 0.2 * Math.sin(i), 0, 0] };
  });
  return photosOfSpots(spots, shots, 8, seed);
}

/** `n` photos on a ring inside a round courtyard, looking outwards: each sees a few metres of a wall that never repeats. */
export function courtyard(n: number, { seed = 1, spotsPerPhoto = 60 } = {}): Synthetic {
  const random = seededRandom(seed);
  const spots = Array.from({ length: n * spotsPerPhoto }, (_, look): Spot => {
    const angle = 2 * Math.PI * random();
    const out = 14 + 1.5 * random();
    const [x, z] = [Math.sin(angle), -Math.cos(angle)];
    return { at: [out * x, 3 * (random() - 0.5), out * z], normal: [-x, 0, -z], look };
  });
  const shots = Array.from({ length: n }, (_, i): Shot => {
    const angle = (2 * Math.PI * i) / n;
    const [x, z] = [Math.sin(angle), -Math.cos(angle)];
    return { eye: [10 * x, 0.2 * Math.sin(5 * i), 10 * z], target: [15 * x, 0, 15 * z] };
  });
  return photosOfSpots(spots, shots, 9, seed);
}
