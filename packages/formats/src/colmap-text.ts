/**
 * The COLMAP text model: `cameras.txt`, `images.txt`, `points3D.txt`.
 * Format: https://colmap.github.io/format.html#text-format. Pixel centres are at 0.5, as everywhere in Cairn.
 * Numbers are written in full, so that reading back gives the same doubles.
 */
import type { Intrinsics, PosedCamera } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { meanReprojectionPx } from "./reprojection.ts";
import type { SparseModel } from "./sparse-model.ts";

export type ColmapText = { readonly cameras: string; readonly images: string; readonly points3D: string };

type ModelImage = SparseModel["images"][number];

/** Ids count from 1 in the order of the model; photos with equal intrinsics share one camera. */
export function writeColmapText(model: SparseModel): ColmapText {
  const cameras = new Map<string, number>();
  const names = uniqueNames(model.images);
  const imageLines: string[] = [];
  const tracks: string[][] = Array.from({ length: model.positions.length / 3 }, () => []);
  let observations = 0;
  for (const [index, { camera, features, points }] of model.images.entries()) {
    const { model: kind, width, height, params } = camera.intrinsics;
    const key = [kind, width, height, ...params].join(" ");
    const cameraId = cameras.get(key) ?? cameras.size + 1;
    cameras.set(key, cameraId);
    const { rotation, translation } = camera.pose;
    imageLines.push([index + 1, ...rotation, ...translation, cameraId, names[index]].join(" "));
    const row: string[] = [];
    for (let k = 0; k < points.length; k++) {
      const point = points[k]!;
      row.push(`${features[2 * k]} ${features[2 * k + 1]} ${point < 0 ? -1 : point + 1}`);
      if (point < 0) continue;
      tracks[point]!.push(`${index + 1} ${k}`);
      observations++;
    }
    imageLines.push(row.join(" "));
  }
  const cameraLines = [...cameras].map(([key, id]) => `${id} ${key}`);
  const pointLines = tracks.map((track, p) => {
    const [x, y, z] = model.positions.subarray(3 * p, 3 * p + 3);
    const [r, g, b] = model.colors.subarray(3 * p, 3 * p + 3);
    return [p + 1, x, y, z, r, g, b, model.errorsPx[p], ...track].join(" ");
  });
  const mean = (count: number) => (count === 0 ? 0 : observations / count);
  return {
    cameras: file(
      ["Camera list with one line of data per camera:", "  CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"],
      [`Number of cameras: ${cameraLines.length}`],
      cameraLines,
    ),
    images: file(
      [
        "Image list with two lines of data per image:",
        "  IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME",
        "  POINTS2D[] as (X, Y, POINT3D_ID)",
      ],
      [`Number of images: ${names.length}, mean observations per image: ${mean(names.length)}`],
      imageLines,
    ),
    points3D: file(
      [
        "3D point list with one line of data per point:",
        "  POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)",
      ],
      [`Number of points: ${tracks.length}, mean track length: ${mean(tracks.length)}`],
      pointLines,
    ),
  };
}

/**
 * Reads a text model of the three camera kinds that Cairn knows. The format has no room for our image ids: `image` is
 * the photo's name.
 * @throws {CairnError} `request.invalid` with the file and line that cannot be read
 */
export function readColmapText(text: ColmapText): SparseModel {
  const cameras = new Map<string, Intrinsics>();
  for (const [line, words] of dataLines(text.cameras)) {
    cameras.set(words[0]!, parseCamera(words, line));
  }

  const pointLines = [...dataLines(text.points3D)];
  const pointIndex = new Map(pointLines.map(([, words], index) => [words[0]!, index]));
  const positions = new Float64Array(pointLines.length * 3);
  const colors = new Uint8Array(pointLines.length * 3);
  const errorsPx = new Float32Array(pointLines.length);
  for (const [index, [line, words]] of pointLines.entries()) {
    const values = numbers(words.slice(1, 8), 7, "points3D.txt", line);
    positions.set(values.slice(0, 3), index * 3);
    colors.set(values.slice(3, 6), index * 3);
    errorsPx[index] = values[6]!;
  }

  // An image without features has an empty second line, so blank lines count here.
  const rows = text.images.split("\n").map((row) => row.trim());
  const images: ModelImage[] = [];
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!;
    if (row === "" || row.startsWith("#")) continue;
    const words = row.split(/\s+/);
    const [, qw, qx, qy, qz, tx, ty, tz] = numbers(words.slice(0, 8), 8, "images.txt", at + 1);
    const intrinsics = cameras.get(words[8] ?? "");
    const name = words.slice(9).join(" ");
    const isRotation = Math.hypot(qw!, qx!, qy!, qz!) > 0;
    if (!intrinsics || !isRotation || name === "") throw invalid("images.txt", at + 1);
    at++;
    const cells = (rows[at] ?? "").split(/\s+/).filter((cell) => cell !== "");
    if (cells.length % 3 !== 0) throw invalid("images.txt", at + 1);
    const features = new Float64Array((cells.length / 3) * 2);
    const points = new Int32Array(cells.length / 3);
    for (let k = 0; k < points.length; k++) {
      features.set(numbers(cells.slice(3 * k, 3 * k + 2), 2, "images.txt", at + 1), 2 * k);
      const id = cells[3 * k + 2]!;
      const index = id === "-1" ? -1 : pointIndex.get(id);
      if (index === undefined) throw invalid("images.txt", at + 1);
      points[k] = index;
    }
    const pose: PosedCamera["pose"] = { rotation: [qw!, qx!, qy!, qz!], translation: [tx!, ty!, tz!] };
    const reprojectionPx = meanReprojectionPx(pose, intrinsics, features, points, positions);
    images.push({ image: name, name, camera: { image: name, pose, intrinsics, reprojectionPx }, features, points });
  }
  return { images, positions, colors, errorsPx };
}

function file(head: readonly string[], counts: readonly string[], lines: readonly string[]): string {
  return `${[...[...head, ...counts].map((line) => `# ${line}`), ...lines].join("\n")}\n`;
}

/** COLMAP cuts a name at white space and takes two images of one name for one image. */
function uniqueNames(images: readonly ModelImage[]): string[] {
  const taken = new Set<string>();
  return images.map(({ name }) => {
    const plain = name.replace(/[\s\p{Cc}]/gu, "_") || "photo";
    const dot = plain.lastIndexOf(".");
    let free = plain;
    for (let n = 2; taken.has(free); n++) {
      free = dot > 0 ? `${plain.slice(0, dot)}_${n}${plain.slice(dot)}` : `${plain}_${n}`;
    }
    taken.add(free);
    return free;
  });
}

/** Line number and words of each line that is neither blank nor a comment. */
function* dataLines(text: string): Generator<[line: number, words: string[]]> {
  for (const [index, row] of text.split("\n").entries()) {
    const trimmed = row.trim();
    if (trimmed !== "" && !trimmed.startsWith("#")) yield [index + 1, trimmed.split(/\s+/)];
  }
}

const PARAM_COUNT = { PINHOLE: 4, SIMPLE_RADIAL: 4, RADIAL: 5 } as const;

function parseCamera(words: string[], line: number): Intrinsics {
  const model = words[1];
  if (model !== "PINHOLE" && model !== "SIMPLE_RADIAL" && model !== "RADIAL") throw invalid("cameras.txt", line);
  const [width, height, ...params] = numbers(words.slice(2), 2 + PARAM_COUNT[model], "cameras.txt", line);
  return { model, width: width!, height: height!, params };
}

function numbers(words: readonly string[], count: number, name: string, line: number): number[] {
  const values = words.map(Number);
  if (words.length !== count || !values.every(Number.isFinite)) throw invalid(name, line);
  return values;
}

function invalid(name: string, line: number): CairnError {
  return new CairnError("request.invalid", { file: name, line });
}
