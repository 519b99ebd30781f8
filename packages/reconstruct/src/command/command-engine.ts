/**
 * An engine that is somebody else's program: it is run once for each photo with the photo, the cloud so far and the
 * photo's id, and says in the last line of its output in which folder its PLY files are. It knows no cameras.
 * What a run gave is kept, so that the log can be replayed without running anything again.
 */
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { writePly } from "@cairn/formats";
import { openPointFile, sourceOf } from "@cairn/formats/read";
import type { EngineReport } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import type { Engine, EngineCache, Photo, Points, Rebuild, RebuildOptions, Step, WorkOptions } from "../engine.ts";
import { runProgram } from "./run-program.ts";

export type CommandEngineOptions = {
  readonly program: string;
  /** The bytes of a photo as they were sent, by their digest. */
  readonly photoBytes: (digest: string) => Promise<Uint8Array>;
  readonly cache?: EngineCache;
  /** A run that takes longer is ended. */
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 600_000;
/** Names that stand for all the others together. */
const WHOLE = new Set(["full.ply", "latest.ply", "merged.ply"]);
/** Largest file that is read, and most points of one run. */
const MAX_FILE_BYTES = 2 ** 30;
const MAX_POINTS = 20_000_000;
const POINT_BYTES = 15;

type Given = { readonly image: string; readonly name: string; readonly digest: string; readonly path: string };

export async function openCommandEngine(options: CommandEngineOptions): Promise<Engine> {
  return new CommandEngine(options, await mkdtemp(join(tmpdir(), "cairn-command-")));
}

class CommandEngine implements Engine {
  readonly #options: CommandEngineOptions;
  /** Photos, the cloud so far and the list of photos lie here, for the program to read. */
  readonly #folder: string;
  readonly #given: Given[] = [];
  readonly #clouds: Points[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: CommandEngineOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  add(photo: Photo, options: WorkOptions = {}): Promise<Step> {
    return this.#inTurn(async () => {
      const given = await this.#take(photo);
      try {
        const points = options.rebuildFollows ? await this.#skip() : await this.#run(given, false, options);
        this.#clouds.push(points);
        const verdicts = [{ image: photo.image, verdict: "registered" as const }];
        return { verdicts, cameras: [], points: from(points, photo.image), rebuildAdvised: false };
      } catch (error) {
        this.#given.pop();
        throw error;
      }
    });
  }

  /** Everything from all photos: the program is run with the last of them, and told so. */
  rebuild(options: RebuildOptions = {}): Promise<Rebuild> {
    return this.#inTurn(async () => {
      const last = this.#given.at(-1);
      if (!last) throw new CairnError("export.empty");
      const points = await this.#run(last, true, options);
      this.#clouds.splice(0, this.#clouds.length, points);
      return { verdicts: [], cameras: [], points: from(points, last.image) };
    });
  }

  async model() {
    return { images: [], positions: new Float64Array(0), colors: new Uint8Array(0), errorsPx: new Float32Array(0) };
  }

  focal(): undefined {}

  async report(): Promise<EngineReport> {
    return {
      photos: this.#given.map(({ image, name }) => ({ image, name, verdict: "registered" })),
      points: this.#clouds.reduce((sum, { positions }) => sum + positions.length / 3, 0),
      reprojection: { meanPx: 0, medianPx: 0, histogramPx: { bin: 0.25, counts: [] } },
      tracks: { meanViews: 0, counts: [] },
      graph: { edges: [], components: [], weakLinks: [] },
      lenses: [],
      doubts: [],
      coverage: { patch: 0, patches: 0, bySpreadViews: [], weakest: [] },
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(new CairnError("operation.cancelled"));
    await this.#queue.catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #take({ image, name, digest }: Photo): Promise<Given> {
    const path = join(this.#folder, `${image}${extensionOf(name)}`);
    await writeFile(path, await this.#options.photoBytes(digest));
    const given = { image, name, digest, path };
    this.#given.push(given);
    return given;
  }

  /** The run for all photos, which follows, is this photo's as well. */
  async #skip(): Promise<Points> {
    await this.#options.cache?.put(keyOf(this.#options.program, false, this.#given), new Uint8Array(0));
    return noPoints();
  }

  async #run(photo: Given, full: boolean, { signal, onProgress }: WorkOptions): Promise<Points> {
    const { program, cache, timeoutMs = TIMEOUT_MS } = this.#options;
    const key = keyOf(program, full, this.#given);
    const kept = await cache?.get(key);
    if (kept) return decodePoints(kept);
    onProgress?.("running", 0, 1);
    const list = join(this.#folder, "images.txt");
    const reference = join(this.#folder, "reference.ply");
    await writeFile(list, this.#given.map(({ path }) => `${path}\n`).join(""));
    await writeFile(reference, writePly(...merged(this.#clouds)));
    const output = await runProgram({
      program,
      args: [photo.path, reference, photo.image],
      env: { CAIRN_FULL_REFETCH: full ? "1" : "0", CAIRN_IMAGES: list },
      timeoutMs,
      signal: AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]),
    });
    const folder = output.trimEnd().split("\n").at(-1)?.trim() ?? "";
    const points = await readFolder(folder);
    await cache?.put(key, encodePoints(points));
    onProgress?.("running", 1, 1);
    return points;
  }
}

function extensionOf(name: string): string {
  return /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? "";
}

/** What a run depends on: the program, the photos so far, and which kind of run it is. */
function keyOf(program: string, full: boolean, given: readonly Given[]): string {
  const hash = createHash("sha256").update(`${program}\n${full}\n`);
  for (const { image, digest } of given) hash.update(`${image} ${digest}\n`);
  return `command-1-${hash.digest("hex")}`;
}

/** @throws {CairnError} `engine.output` */
async function readFolder(folder: string): Promise<Points> {
  if (folder === "") throw new CairnError("engine.output", { problem: "no folder in the last line of its output" });
  const names = await readdir(resolve(folder)).catch((cause: unknown) => {
    throw new CairnError("engine.output", { problem: "its folder cannot be read" }, cause);
  });
  const files = names.filter((name) => /\.ply$/i.test(name) && !WHOLE.has(name.toLowerCase())).sort();
  const runs: Points[] = [];
  let count = 0;
  for (const name of files) {
    const bytes = await readFile(join(folder, name));
    if (bytes.length > MAX_FILE_BYTES) throw new CairnError("engine.output", { problem: "a PLY file is too large" });
    const run = await readCloud(bytes);
    count += run.positions.length / 3;
    if (count > MAX_POINTS) throw new CairnError("engine.output", { problem: "too many points" });
    runs.push(run);
  }
  if (runs.length === 0) throw new CairnError("engine.output", { problem: "no readable PLY file" });
  const [positions, colors] = merged(runs);
  return { positions, colors };
}

async function readCloud(bytes: Uint8Array): Promise<Points> {
  const runs: Points[] = [];
  try {
    for await (const { positions, colors } of (await openPointFile(sourceOf(bytes))).chunks()) {
      runs.push({ positions: Float32Array.from(positions), colors });
    }
  } catch (cause) {
    // A shard of nothing is a shard.
    if (cause instanceof CairnError && cause.facts.problem === "has no points") return noPoints();
    throw new CairnError("engine.output", { problem: "a PLY file is not readable" }, cause);
  }
  const [positions, colors] = merged(runs);
  if (!positions.every(Number.isFinite)) throw new CairnError("engine.output", { problem: "non-finite coordinates" });
  return { positions, colors };
}

function merged(clouds: readonly Points[]): [Float32Array, Uint8Array] {
  const count = clouds.reduce((sum, { positions }) => sum + positions.length, 0);
  const positions = new Float32Array(count);
  const colors = new Uint8Array(count);
  let at = 0;
  for (const cloud of clouds) {
    positions.set(cloud.positions, at);
    colors.set(cloud.colors, at);
    at += cloud.positions.length;
  }
  return [positions, colors];
}

function noPoints(): Points {
  return { positions: new Float32Array(0), colors: new Uint8Array(0) };
}

function from(points: Points, image: string): Points {
  const of = new Uint32Array(points.positions.length / 3);
  return { ...points, source: { images: [image], of } };
}

/** Coordinates, then colours, little-endian. */
function encodePoints({ positions, colors }: Points): Uint8Array {
  return Buffer.concat([new Uint8Array(positions.buffer, positions.byteOffset, positions.byteLength), colors]);
}

function decodePoints(bytes: Uint8Array): Points {
  const count = Math.floor(bytes.length / POINT_BYTES);
  // A copy: what a cache hands out may lie anywhere in a larger buffer.
  const copy = new Uint8Array(bytes);
  return {
    positions: new Float32Array(copy.buffer, 0, count * 3),
    colors: copy.subarray(count * 12, count * POINT_BYTES),
  };
}
