/** `cairn reconstruct`: the engine without a server, photos given one at a time as if they arrived live. */
import { type SparseModel, writeColmapText, writePly } from "@cairn/formats";
import { cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import { type ImageDecoder, openImageDecoder } from "@cairn/images";
import { normalsOf } from "@cairn/mesh";
import { CairnError, type Doubt, type PosedCamera, type Preset, type Verdict } from "@cairn/protocol";
import {
  DECODE_SIDE_PX,
  type Engine,
  openEmbeddedEngine,
  type Photo,
  type Points,
  type Rebuild,
} from "@cairn/reconstruct";
import { interruption, Problem } from "./exit.ts";
import { type CameraOptions, KnownCamera } from "./known-camera.ts";
import { findPhotos, type PhotoFile } from "./named-files.ts";
import { writeFolder } from "./out-file.ts";
import { sha256 } from "./photos.ts";
import { ProgressLine } from "./progress.ts";
import { exitCodeOf, printVerdicts } from "./verdicts.ts";

type ReconstructOptions = CameraOptions & {
  readonly out: string;
  readonly shuffle?: boolean;
  readonly seed: number;
  readonly rebuildEvery: number;
  readonly preset: Preset;
  readonly json?: boolean;
};

type Timing = { readonly wallMs: number; readonly cpuMs: number };
type Entry = { readonly name: string; readonly image: string; verdict?: Verdict; refused?: string; add?: Timing };

export async function reconstruct(names: readonly string[], options: ReconstructOptions): Promise<number> {
  const found = await findPhotos(names);
  const photos = options.shuffle ? shuffled(found, options.seed) : found;
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: options.json ?? false });
  const whole = stopwatch();
  const decoder = openImageDecoder({ processes: 1 });
  let engine: Engine | undefined;
  try {
    const known = await KnownCamera.open(options, found, decoder, signal);
    engine = await openEmbeddedEngine({ seed: options.seed, preset: options.preset });
    const entries: Entry[] = photos.map(({ name }, index) => ({ name, image: `${index + 1}` }));
    const rebuilds: (Timing & { afterPhotos: number; residual?: number })[] = [];
    let sinceRebuild = 0;
    let doubts: readonly Doubt[] = [];
    const judge = (verdicts: readonly Verdict[]) => {
      for (const verdict of verdicts) entries[Number(verdict.image) - 1]!.verdict = verdict;
    };
    let last: Rebuild | undefined;
    // Nobody watches: the points of the last rebuild are those that are written.
    const rebuild = async (afterPhotos: number) => {
      progress.update("refining", afterPhotos, photos.length, "photos");
      const taken = stopwatch();
      const isLast = afterPhotos === photos.length;
      const refined = await engine!.rebuild({ signal, points: isLast, thorough: isLast });
      const { verdicts, residual, doubts: left = [] } = refined;
      last = refined;
      judge(verdicts);
      doubts = left;
      rebuilds.push({ afterPhotos, ...taken(), ...(residual === undefined ? {} : { residual }) });
      sinceRebuild = 0;
    };
    for (const [index, file] of photos.entries()) {
      progress.update("placing ", index, photos.length, "photos");
      const entry = entries[index]!;
      const taken = stopwatch();
      try {
        const photo = await readPhoto(file, entry.image, known, decoder, signal);
        judge((await engine.add(photo, { signal, points: false })).verdicts);
      } catch (error) {
        if (!(error instanceof CairnError && error.code.startsWith("image."))) throw error;
        entry.refused = error.message;
      }
      entry.add = taken();
      sinceRebuild++;
      if ((index + 1) % options.rebuildEvery === 0) await rebuild(index + 1);
    }
    if (sinceRebuild > 0) await rebuild(photos.length);
    progress.clear();
    signal.throwIfAborted();

    const model = await engine.model();
    const report = {
      photos: entries,
      used: model.images.length,
      points: (last?.points.positions.length ?? 0) / 3,
      sparsePoints: model.positions.length / 3,
      focal: engine.focal() ?? null,
      doubts,
      ...(known && { uncalibrated: known.unlike }),
      rebuilds,
      ...whole(),
      seed: options.seed,
      rebuildEvery: options.rebuildEvery,
      preset: options.preset,
    };
    await writeFolder(options.out, {
      ...(model.images.length > 0 && last ? modelFiles(model, last) : {}),
      "report.json": `${JSON.stringify(report, undefined, 2)}\n`,
    });
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      if (known?.note) process.stdout.write(`${known.note}\n`);
      printVerdicts(entries, doubts);
      const { source, focalPx, toldPx } = report.focal ?? {};
      if (source === "given" && toldPx !== undefined) {
        const [given, told] = [focalPx!, toldPx].map((px) => px.toFixed(0));
        process.stdout.write(`the focal length in use is ${given} px; about ${told} px is told by the photos\n`);
      }
    }
    if (model.images.length === 0) throw new Problem("no model: no two of the photos could be placed; see report.json");
    if (!options.json) process.stdout.write(`${report.points} points; written to ${options.out}\n`);
    return exitCodeOf(entries, doubts);
  } finally {
    progress.clear();
    await engine?.close();
    await decoder.close();
    release();
  }
}

function modelFiles(
  model: SparseModel,
  { points, cameras: posed }: Rebuild,
): Record<string, string | Iterable<Uint8Array>> {
  const { cameras, images, points3D } = writeColmapText(model);
  return {
    "cameras.txt": cameras,
    "images.txt": images,
    "points3D.txt": points3D,
    "points.ply": writePly(points.positions, points.colors, normalsOfPoints(points, posed)),
  };
}

/** By the points around each and where the photo that saw it was taken. */
function normalsOfPoints({ positions, source }: Points, cameras: readonly PosedCamera[]): Int8Array | undefined {
  if (!source) return undefined;
  const photoOf = new Map(source.images.map((image, photo) => [image, photo]));
  const centres = cameras.flatMap(({ image, pose }): [number, [number, number, number]][] => {
    const photo = photoOf.get(image);
    if (photo === undefined) return [];
    const [x, y, z] = cameraCentre(poseFromQuaternion(pose.rotation, pose.translation));
    return [[photo, [x!, y!, z!]]];
  });
  const batch = { count: positions.length / 3, positions: Float64Array.from(positions), photos: source.of };
  return normalsOf(batch, new Map(centres));
}

async function readPhoto(
  file: PhotoFile,
  image: string,
  known: KnownCamera | undefined,
  decoder: ImageDecoder,
  signal: AbortSignal,
): Promise<Photo> {
  const bytes = await file.read();
  const facts = await decoder.inspect(bytes, signal);
  const { focalPx, gps } = facts;
  const camera = known?.cameraOf(file.name, facts);
  const decoded = await decoder.decode(bytes, { maxSidePx: DECODE_SIDE_PX, signal });
  return {
    ...decoded,
    image,
    name: file.name,
    digest: sha256(bytes),
    ...(camera ? { camera } : {}),
    ...(focalPx === undefined ? {} : { focalPx }),
    ...(gps && { gps }),
  };
}

/** Wall time, and processor time of all threads of this process (the decoder's own process is not in it). */
function stopwatch(): () => Timing {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(startCpu);
    return { wallMs: Math.round(performance.now() - startMs), cpuMs: Math.round((user + system) / 1000) };
  };
}

/** Another order, the same for the same seed (Fisher and Yates, over mulberry32). */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed | 0;
  for (let i = result.length - 1; i > 0; i--) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    const j = Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
