/**
 * A session's result as GLB: its points and, where wanted, a frustum for each placed camera; and the metadata beside it.
 * Rules DEP-8, DEP-9, DEP-37 to DEP-44.
 */
import { setImmediate } from "node:timers/promises";
import { modelFromLayer, movePoints } from "@cairn/cloud";
import type { ShownPoints } from "@cairn/core";
import { FINE_LINEAR, glbHead } from "@cairn/formats/glb";
import type { CameraState, ImageState, Vec3 } from "@cairn/protocol";
import { resizeScale, type SessionParams } from "./params.ts";

export type SessionResult = {
  readonly glb: Buffer;
  readonly metadata: Record<string, unknown>;
  readonly points: number;
};

type Input = {
  readonly sessionId: string;
  readonly params: SessionParams;
  readonly points: ShownPoints;
  /** In the order of upload. */
  readonly images: readonly ImageState[];
  readonly cameras: Readonly<Record<string, CameraState>>;
  readonly engine: string;
  /** It finds a depth for every pixel, not for some. */
  readonly dense: boolean;
  readonly startedMs: number;
  readonly signal: AbortSignal;
};

/** Of the diagonal of the box from the 5th to the 95th percentile of the points. */
const FRUSTUM_PART = 0.03;
const CONFIDENCES = 256;
/** Points that percentiles are taken of. */
const SAMPLES = 100_000;

export async function makeResult(input: Input): Promise<SessionResult> {
  const { params, points, images, cameras, signal } = input;
  const kept = await keep(points, params, signal);
  const placed = images.flatMap(({ image }) => cameras[image] ?? []);
  const align = alignment(placed[0], kept.positions);
  const statistics = depths(kept, images, cameras);
  const positions = new Float32Array(kept.positions.length);
  movePoints(align, kept.positions, positions);
  const lines = params.show_cameras ? frusta(placed, align, positions) : [];
  const hf_alignment = rows(align);
  const glb = encode(positions, kept.colors, lines, hf_alignment);
  const count = kept.positions.length / 3;
  const metadata = {
    num_frames: images.length,
    session_id: input.sessionId,
    glb_size_bytes: glb.length,
    intrinsics: images.map((image) => intrinsicsOf(cameras[image.image], image, params)),
    extrinsics: images.map(({ image }) => extrinsicsOf(cameras[image])),
    filenames: images.map(({ name }) => name),
    registered: images.map(({ image }) => cameras[image] !== undefined),
    ...statistics,
    points3d_shape: [count, 3],
    ...shapesOf(input),
    hf_alignment,
    engine: input.engine,
    processing_time_s: (performance.now() - input.startedMs) / 1000,
  };
  return { glb, metadata, points: count };
}

type Kept = { positions: Float64Array; colors: Uint8Array; photos: Uint32Array; confidences: Uint8Array };

/** Without the least certain, and of what is left an even part, the same each time. */
async function keep(points: ShownPoints, params: SessionParams, signal: AbortSignal): Promise<Kept> {
  const histogram = new Float64Array(CONFIDENCES);
  for await (const { count, confidences } of points.read()) {
    if (!confidences) histogram[CONFIDENCES - 1]! += count;
    else for (let i = 0; i < count; i++) histogram[confidences[i]!]!++;
  }
  let drop = Math.floor((points.count * params.conf_thresh_percentile) / 100);
  /** Part of each confidence that goes: all of the lowest, some of the one at the threshold. */
  const dropped = histogram.map((count) => {
    const here = Math.min(drop, count);
    drop -= here;
    return count > 0 ? here / count : 0;
  });
  const left = histogram.reduce((sum, count, i) => sum + Math.round(count * (1 - dropped[i]!)), 0);
  const wanted = Math.min(left, params.num_max_points);
  const most = { positions: new Float64Array(3 * wanted), colors: new Uint8Array(3 * wanted) };
  const photos = new Uint32Array(wanted);
  const certain = new Uint8Array(wanted);
  const seen = new Float64Array(CONFIDENCES);
  let survived = 0;
  let size = 0;
  for await (const run of points.read()) {
    signal.throwIfAborted();
    for (let i = 0; i < run.count && size < wanted; i++) {
      const confidence = run.confidences?.[i] ?? CONFIDENCES - 1;
      const gone = dropped[confidence]!;
      const k = seen[confidence]!++;
      // Evenly spread over those of the same confidence.
      if (Math.floor((k + 1) * gone) > Math.floor(k * gone)) continue;
      const s = survived++;
      if (Math.floor(((s + 1) * wanted) / left) === Math.floor((s * wanted) / left)) continue;
      for (let axis = 0; axis < 3; axis++) {
        most.positions[3 * size + axis] = run.positions[3 * i + axis]!;
        most.colors[3 * size + axis] = run.colors[3 * i + axis]!;
      }
      photos[size] = typeof run.photos === "number" ? run.photos : run.photos[i]!;
      certain[size] = confidence;
      size++;
    }
    await setImmediate();
  }
  return {
    positions: most.positions.subarray(0, 3 * size),
    colors: most.colors.subarray(0, 3 * size),
    photos: photos.subarray(0, size),
    confidences: certain.subarray(0, size),
  };
}

/** Model→glTF as the first placed camera sees it: x right, y up, z towards the viewer, the median point at the origin. */
function alignment(first: CameraState | undefined, positions: Float64Array): Float64Array {
  const pose = first?.pose ?? { rotation: [1, 0, 0, 0] as const, translation: [0, 0, 0] as const };
  const m = modelFromLayer({
    transform: { scale: 1, rotation: [...pose.rotation], translation: [...pose.translation] },
  });
  for (let column = 0; column < 4; column++) {
    m[4 * column + 1] = -m[4 * column + 1]!;
    m[4 * column + 2] = -m[4 * column + 2]!;
  }
  const sample = sampled(positions);
  movePoints(m, sample, sample);
  for (let axis = 0; axis < 3; axis++) m[12 + axis]! -= percentile(sample, axis, 0.5);
  return m;
}

function sampled(positions: Float32Array | Float64Array): Float64Array {
  const count = positions.length / 3;
  const step = Math.max(1, Math.floor(count / SAMPLES));
  const sample = new Float64Array(3 * Math.ceil(count / step));
  for (let i = 0, to = 0; i < count; i += step, to += 3) sample.set(positions.subarray(3 * i, 3 * i + 3), to);
  return sample;
}

function percentile(positions: Float64Array, axis: number, part: number): number {
  const values = Float64Array.from({ length: positions.length / 3 }, (_, i) => positions[3 * i + axis]!).sort();
  return values[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0;
}

/** Of each point before the camera of the photo that it came from. */
function depths({ positions, photos, confidences }: Kept, images: readonly ImageState[], cameras: Input["cameras"]) {
  const axes = new Map<number, readonly [number, number, number, number]>();
  for (const [i, { image }] of images.entries()) {
    const camera = cameras[image];
    if (!camera) continue;
    const { rotation, translation } = camera.pose;
    const m = modelFromLayer({ transform: { scale: 1, rotation, translation } });
    axes.set(i + 1, [m[2]!, m[6]!, m[10]!, m[14]!]);
  }
  let [min, max, sum, count, confidence] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < photos.length; i++) {
    confidence += confidences[i]!;
    const axis = axes.get(photos[i]!);
    if (!axis) continue;
    const depth =
      axis[0] * positions[3 * i]! + axis[1] * positions[3 * i + 1]! + axis[2] * positions[3 * i + 2]! + axis[3];
    min = Math.min(min, depth);
    max = Math.max(max, depth);
    sum += depth;
    count++;
  }
  const known = count > 0;
  return {
    depth_min: known ? min : null,
    depth_max: known ? max : null,
    depth_mean: known ? sum / count : null,
    confidence_mean: photos.length > 0 ? confidence / photos.length / 255 : null,
  };
}

type Frustum = { readonly positions: Float32Array; readonly color: Vec3 };

/** Eight segments a camera: four from its centre to the corners of the picture, four around it. */
function frusta(placed: readonly CameraState[], align: Float64Array, positions: Float32Array): Frustum[] {
  const sample = sampled(positions);
  const extent = [0, 1, 2].map((axis) => percentile(sample, axis, 0.95) - percentile(sample, axis, 0.05));
  const size = FRUSTUM_PART * (Math.hypot(...extent) || 1);
  return placed.map(({ pose, intrinsics }, k) => {
    const { fx, fy, cx, cy } = pinholeOf(intrinsics);
    const { width, height } = intrinsics;
    const corner = (x: number, y: number) => [((x - cx) / fx) * size, ((y - cy) / fy) * size, size];
    const seen = [[0, 0, 0], corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
    const world = seen.map((point) => backToWorld(pose, point));
    const segments = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1].flatMap((i) => world[i]!);
    const moved = movePoints(align, Float64Array.from(segments), new Float32Array(segments.length));
    return { positions: moved, color: hue(k / placed.length) };
  });
}

function backToWorld({ rotation, translation }: CameraState["pose"], point: readonly number[]): number[] {
  const m = modelFromLayer({ transform: { scale: 1, rotation, translation } });
  const d = [0, 1, 2].map((i) => point[i]! - translation[i]!);
  return [0, 1, 2].map((i) => m[4 * i]! * d[0]! + m[4 * i + 1]! * d[1]! + m[4 * i + 2]! * d[2]!);
}

/** A colour of the wheel, sRGB bytes. */
function hue(turn: number): Vec3 {
  const channel = (shift: number) => {
    const h = (turn * 6 + shift) % 6;
    return Math.round(255 * Math.min(1, Math.max(0, Math.abs(h - 3) - 1)));
  };
  return [channel(0), channel(4), channel(2)];
}

function pinholeOf({ model, params }: CameraState["intrinsics"]) {
  const [a = 1, b = 0, c = 0, d = 0] = params;
  return model === "PINHOLE" ? { fx: a, fy: b, cx: c, cy: d } : { fx: a, fy: a, cx: b, cy: c };
}

function intrinsicsOf(camera: CameraState | undefined, image: ImageState, params: SessionParams): number[][] | null {
  if (!camera) return null;
  const scale = resizeScale(params, image.width, image.height);
  const { fx, fy, cx, cy } = pinholeOf(camera.intrinsics);
  return [
    [fx * scale, 0, cx * scale],
    [0, fy * scale, cy * scale],
    [0, 0, 1],
  ];
}

/** Pictures by rows by columns, of the size in which the first is looked at. */
function shapesOf({ dense, images, params }: Input): {
  depth_shape: number[] | null;
  confidence_shape: number[] | null;
} {
  const first = images[0];
  if (!dense || !first) return { depth_shape: null, confidence_shape: null };
  const scale = resizeScale(params, first.width, first.height);
  const shape = [images.length, Math.round(first.height * scale), Math.round(first.width * scale)];
  return { depth_shape: shape, confidence_shape: shape };
}

function extrinsicsOf(camera: CameraState | undefined): number[][] | null {
  if (!camera) return null;
  const { rotation, translation } = camera.pose;
  return rows(modelFromLayer({ transform: { scale: 1, rotation, translation } }));
}

/** Column-major→nested rows. */
function rows(m: Float64Array): number[][] {
  return [0, 1, 2, 3].map((row) => [0, 1, 2, 3].map((column) => m[4 * column + row]! + 0));
}

const FLOAT = 5126;
const USHORT = 5123;
const LINES = 1;

/** Points as one primitive, each frustum as a node of its own. */
function encode(
  positions: Float32Array,
  colors: Uint8Array,
  lines: readonly Frustum[],
  hf_alignment: number[][],
): Buffer {
  const pieces: Buffer[] = [];
  const bufferViews: object[] = [];
  const accessors: object[] = [];
  let length = 0;
  const add = (array: Float32Array | Uint16Array, accessor: object): number => {
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    bufferViews.push({ buffer: 0, byteOffset: length, byteLength: bytes.length });
    accessors.push({ bufferView: bufferViews.length - 1, ...accessor });
    pieces.push(bytes);
    length += bytes.length;
    return accessors.length - 1;
  };
  const primitive = (at: Float32Array, rgb: (i: number) => Vec3, mode: number) => {
    const count = at.length / 3;
    const rgba = new Uint16Array(4 * count);
    for (let i = 0; i < count; i++) {
      const color = rgb(i);
      for (let c = 0; c < 3; c++) rgba[4 * i + c] = Math.round((FINE_LINEAR[color[c]!]! / 65280) * 65535);
      rgba[4 * i + 3] = 65535;
    }
    const POSITION = add(at, { componentType: FLOAT, count, type: "VEC3", ...boundsOf(at) });
    const COLOR_0 = add(rgba, { componentType: USHORT, count, type: "VEC4", normalized: true });
    return { attributes: { POSITION, COLOR_0 }, mode, material: 0 };
  };
  const meshes = [
    {
      name: "points",
      primitives: [primitive(positions, (i) => [colors[3 * i]!, colors[3 * i + 1]!, colors[3 * i + 2]!], 0)],
    },
  ];
  for (const [k, { positions: at, color }] of lines.entries()) {
    meshes.push({ name: `camera ${k}`, primitives: [primitive(at, () => color, LINES)] });
  }
  const gltf = {
    asset: { version: "2.0", generator: "Cairn" },
    extensionsUsed: ["KHR_materials_unlit"],
    scene: 0,
    scenes: [{ nodes: meshes.map((_, i) => i), extras: { hf_alignment } }],
    nodes: meshes.map(({ name }, mesh) => ({ name, mesh })),
    meshes,
    materials: [
      {
        pbrMetallicRoughness: { baseColorFactor: [1, 1, 1, 1], metallicFactor: 0, roughnessFactor: 1 },
        extensions: { KHR_materials_unlit: {} },
      },
    ],
    accessors,
    bufferViews,
    buffers: [{ byteLength: length }],
  };
  return Buffer.concat([glbHead(gltf, length), ...pieces]);
}

function boundsOf(positions: Float32Array): { min: number[]; max: number[] } {
  const min = [Infinity, Infinity, Infinity];
  const max = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i++) {
    const axis = i % 3;
    min[axis] = Math.min(min[axis]!, positions[i]!);
    max[axis] = Math.max(max[axis]!, positions[i]!);
  }
  return { min, max };
}
