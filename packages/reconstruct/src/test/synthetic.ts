/** A synthetic place and its photos for tests: exact truth, and kernels that know which features are the same point. */
import { createHash } from "node:crypto";
import { type Random, randomNormal, seededRandom } from "@cairn/geometry";
import type { Kernels } from "../embedded/engine-core.ts";
import type { Photo } from "../engine.ts";
import { allocateFeatures } from "../features/features.ts";
import { findSegments } from "../features/segments.ts";
import { answerTwoView, type TwoViewAnswer, type TwoViewQuestion } from "../mapper/two-view.ts";
import { lookAt, type Vec } from "./look-at.ts";

export type Shot = {
  readonly eye: Vec;
  readonly target: Vec;
  /** Which place; photos of different places share nothing. */
  readonly place?: number;
  readonly sharpness?: number;
  readonly brightness?: number;
  /** Shows only so many features. */
  readonly features?: number;
  /** How far right of the photo's middle it looks straight ahead; as the others do when left out. */
  readonly principalOffPx?: number;
  /** How its lens bends light. */
  readonly k1?: number;
  /** By this it was zoomed in. */
  readonly zoom?: number;
};

export const WIDTH_PX = 1200;
export const HEIGHT_PX = 800;
/** The picture of every photo: what it shows are its features. */
export const GREY = new Uint8Array(WIDTH_PX * HEIGHT_PX * 3).fill(90);
const POINTS = 900;
const NOISE_PX = 0.3;
const STRIP_TOP_PX = 0.76 * HEIGHT_PX;
/** Share of the matches of a pair that are wrong. */
const WRONG = 0.08;

export type Synthetic = {
  readonly kernels: Kernels;
  readonly photos: Photo[];
  readonly shots: readonly Shot[];
  /** True cameraFromWorld rotation rows and eye of each photo. */
  readonly truth: readonly { readonly rows: readonly [Vec, Vec, Vec]; readonly eye: Vec }[];
};

type SyntheticOptions = {
  /** Of the photo as decoded. */
  readonly focalPx?: number;
  readonly seed?: number;
  /** Whether the photos come with their calibration. */
  readonly told?: boolean;
  /** What EXIF says the focal length is. */
  readonly exifPx?: number;
  /** The place is one wall with nothing before it. */
  readonly flat?: boolean;
  /** Of a place. */
  readonly points?: number;
  /** Standard deviation of where a feature is found, each way. */
  readonly noisePx?: number;
  /** How far right of the photos' middle the camera looks straight ahead. */
  readonly principalOffPx?: number;
  /** Width of a pixel over its height: photos that were squeezed one way. */
  readonly pixelAspect?: number;
  /** So many features are printed on all photos, in a strip along the lower edge. */
  readonly printed?: number;
  /** By so much that strip goes right from photo to photo: something that moves before the camera. */
  readonly stripStepPx?: number;
};

export function syntheticPhotos(
  shots: readonly Shot[],
  {
    focalPx = 1080,
    seed = 1,
    told = false,
    exifPx,
    flat = false,
    points = POINTS,
    noisePx = NOISE_PX,
    principalOffPx = 0,
    pixelAspect = 1,
    printed = 0,
    stripStepPx = 0,
  }: SyntheticOptions = {},
): Synthetic {
  const random = seededRandom(seed);
  const places = new Map<number, Float64Array>();
  for (const { place = 0 } of shots)
    if (!places.has(place)) places.set(place, flat ? wall(random, points) : wallsAndClutter(random, points));
  const idsOf = new WeakMap<Uint8Array, Int32Array>();
  const truth = shots.map(({ eye, target }) => ({ rows: lookAt(eye, target), eye }));
  const strip = printedStrip(printed, seededRandom(seed + 1));
  const features = shots.map((shot, index) => {
    const inView = observe(
      places.get(shot.place ?? 0)!,
      truth[index].rows,
      shot,
      { focalPx, noisePx, principalOffPx: shot.principalOffPx ?? principalOffPx, pixelAspect },
      random,
    );
    const seen = [
      ...inView.filter(({ y }) => printed === 0 || y < STRIP_TOP_PX),
      ...strip.map((each) => ({ ...each, x: each.x + index * stripStepPx })).filter(({ x }) => x < WIDTH_PX - 1),
    ];
    const found = allocateFeatures(seen.length, shot.sharpness ?? 1, shot.brightness ?? 0.5);
    for (const [k, { x, y }] of seen.entries()) {
      found.x[k] = x;
      found.y[k] = y;
      found.scale[k] = 2;
    }
    const ids = Int32Array.from(seen, ({ point }) => (point < 0 ? point : (shot.place ?? 0) * points + point));
    for (const [k, id] of ids.entries()) describe(found.descriptors.subarray(k * 128, k * 128 + 128), id);
    idsOf.set(found.descriptors, ids);
    return found;
  });
  const photos = shots.map((_, index): Photo => {
    return {
      image: `photo-${index}`,
      name: `${index}.jpg`,
      rgb: GREY,
      widthPx: WIDTH_PX,
      heightPx: HEIGHT_PX,
      fullWidthPx: 2 * WIDTH_PX,
      fullHeightPx: 2 * HEIGHT_PX,
      digest: String(index),
      ...(exifPx && { focalPx: 2 * exifPx }),
      ...(told && {
        camera: {
          model: "PINHOLE",
          width: 2 * WIDTH_PX,
          height: 2 * HEIGHT_PX,
          params: [2 * focalPx, 2 * focalPx, WIDTH_PX, HEIGHT_PX],
        },
      }),
    };
  });
  let next = 0;
  const kernels: Kernels = {
    // Photos are extracted in the order in which the test gives them; `order` says which that is.
    extract: async () => features[order[next++]],
    segments: async () => greySegments(),
    async matchMany(a, others) {
      return others.map((other) => matchById(idsOf.get(a.descriptors)!, idsOf.get(other.descriptors)!, seed));
    },
    verifyMany: async (questions) => questions.map((question) => question && answerOnce(question)),
    async close() {},
  };
  const order = shots.map((_, index) => index);
  return { kernels, photos, shots, truth };
}

/** `shots` in another order, the same for the same seed. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = seededRandom(seed);
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

/** `n` photos on an arc around the place. */
export function arc(n: number, spanRad = 1.2, place = 0): Shot[] {
  return Array.from({ length: n }, (_, i) => {
    const angle = (i / (n - 1) - 0.5) * spanRad;
    const eye = [8 * Math.sin(angle), 0.3 * Math.sin(3 * i), -8 * Math.cos(angle)] as const;
    return { eye, target: [0.2 * Math.sin(i), 0, 0.5], place };
  });
}

/** Two walls that meet, and things in front of them. */
function wallsAndClutter(random: Random, count: number): Float64Array {
  const points = new Float64Array(count * 3);
  for (let i = 0; i < count; i++) {
    const across = 6 * (random() - 0.5);
    const depth = i % 3 === 0 ? 3 * random() : 3 - Math.abs(across);
    points.set([across, 4 * (random() - 0.5), depth], i * 3);
  }
  return points;
}

function wall(random: Random, count: number): Float64Array {
  return Float64Array.from({ length: count * 3 }, (_, i) =>
    i % 3 === 2 ? 0 : (i % 3 === 0 ? 6 : 4) * (random() - 0.5),
  );
}

function observe(
  points: Float64Array,
  rows: readonly [Vec, Vec, Vec],
  { eye, features = points.length / 3, k1 = 0, zoom = 1 }: Shot,
  {
    focalPx,
    noisePx,
    principalOffPx,
    pixelAspect,
  }: Required<Pick<SyntheticOptions, "focalPx" | "noisePx" | "principalOffPx" | "pixelAspect">>,
  random: Random,
): { x: number; y: number; point: number }[] {
  const seen: { x: number; y: number; point: number }[] = [];
  for (let point = 0; 3 * point < points.length && seen.length < features; point++) {
    const d = [0, 1, 2].map((axis) => points[point * 3 + axis] - eye[axis]);
    const [u, v, depth] = rows.map((row) => row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
    if (depth < 0.5) continue;
    const perDepth = (zoom * focalPx * (1 + k1 * ((u / depth) ** 2 + (v / depth) ** 2))) / depth;
    const x = perDepth * u + WIDTH_PX / 2 + principalOffPx + noisePx * randomNormal(random);
    const y = pixelAspect * perDepth * v + HEIGHT_PX / 2 + noisePx * randomNormal(random);
    if (x > 1 && y > 1 && x < WIDTH_PX - 1 && y < HEIGHT_PX - 1) seen.push({ x, y, point });
  }
  return seen;
}

/** What is printed has numbers below 0. */
function printedStrip(count: number, random: Random): { x: number; y: number; point: number }[] {
  return Array.from({ length: count }, (_, k) => ({
    x: 1 + random() * (WIDTH_PX - 2),
    y: STRIP_TOP_PX + random() * (HEIGHT_PX - STRIP_TOP_PX - 1),
    point: -1 - k,
  }));
}

const answers = new Map<string, TwoViewAnswer | undefined>();

/** As `answerTwoView`, which knows nothing but the question: what many tests ask in the same words is worked out once. */
function answerOnce(question: TwoViewQuestion): TwoViewAnswer | undefined {
  const { first, second, maxError, seed } = question;
  const key = createHash("sha256").update(first).update(second).update(`${maxError} ${seed}`).digest("hex");
  if (!answers.has(key)) answers.set(key, answerTwoView(question));
  return structuredClone(answers.get(key));
}

let ofGrey: Float32Array | undefined;

/** The straight edges of {@link GREY}, sought once for all of its photos. */
export function greySegments(): Float32Array {
  ofGrey ??= findSegments(GREY, WIDTH_PX, HEIGHT_PX);
  return ofGrey;
}

/** The same for the same point, and of about the length of a descriptor. */
export function describe(row: Uint8Array, id: number): void {
  const random = seededRandom(id + 1);
  for (let k = 0; k < row.length; k++) row[k] = Math.floor(120 * random() ** 2);
}

/** Pairs with equal ids, some of them exchanged with one another. */
function matchById(a: Int32Array, b: Int32Array, seed: number): Uint32Array {
  const random = seededRandom(seed);
  const placeOf = new Map(Array.from(b, (id, index) => [id, index]));
  const pairs: [number, number][] = [];
  for (const [index, id] of a.entries()) {
    const other = placeOf.get(id);
    if (other !== undefined) pairs.push([index, other]);
  }
  for (let k = 1; k < pairs.length; k++) {
    if (random() < WRONG) [pairs[k][1], pairs[k - 1][1]] = [pairs[k - 1][1], pairs[k][1]];
  }
  return Uint32Array.from(pairs.flat());
}
