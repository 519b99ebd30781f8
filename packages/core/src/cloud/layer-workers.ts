/**
 * The threads that write layers: one for the trees that grow, so that each photo's points come out at once, and one that
 * compacts beside it. Both start when there is work for them.
 */
import type { CloudPoints, LayerGrid, LayerIndex } from "@cairn/cloud";
import { type Pool, workers } from "@cairn/worker";
import { buffersOf, buffersOfPoints } from "./buffers.ts";
import type { Inserted, LayerJobs, LostTree, PartsOfNodes } from "./layer-jobs.ts";

const FILE = new URL("./layer.worker.js", import.meta.url);

/** Their work is in typed arrays, which lie elsewhere. */
const YOUNG_MIB = 6;

type Options = { signal?: AbortSignal };

export class LayerWorkers {
  readonly #growing: Pool<LayerJobs>;
  readonly #merging: Pool<LayerJobs>;
  #trees = 0;

  /** @param file the worker as it is built */
  constructor(file: URL = FILE) {
    this.#growing = workers<LayerJobs>(file, 1, YOUNG_MIB);
    this.#merging = workers<LayerJobs>(file, 1, YOUNG_MIB);
  }

  /** A tree of its own; it is gone when its worker crashes: every later call then says so. */
  async plant(grid: LayerGrid, options: Options = {}): Promise<Tree> {
    const number = ++this.#trees;
    const tree = new Tree(this.#growing, number);
    try {
      await this.#growing.run("plant", { tree: number, grid }, options);
    } catch (error) {
      // An abort does not reach a job that was posted: it is planted all the same. Not waited for: who aborts goes at once.
      void tree.fell();
      throw error;
    }
    return tree;
  }

  /** One segment a node out of its parts, whose bytes are moved: they cannot be read afterwards. */
  async merge(parts: PartsOfNodes, options: Options = {}): Promise<{ bytes: Uint8Array; hash: string }[]> {
    const { bytes, segments } = await this.#merging.run("merge", parts, { ...options, move: buffersOf([parts.bytes]) });
    let at = 0;
    return segments.map(({ sizeBytes, hash }) => {
      at += sizeBytes;
      return { bytes: bytes.subarray(at - sizeBytes, at), hash };
    });
  }

  async encodeIndex(index: LayerIndex, options: Options = {}): Promise<Uint8Array> {
    return this.#merging.run("encodeIndex", { index }, options);
  }

  async close(): Promise<void> {
    await Promise.all([this.#growing.close(), this.#merging.close()]);
  }
}

/** A tree in the worker. */
export class Tree {
  readonly #pool: Pool<LayerJobs>;
  readonly #tree: number;

  constructor(pool: Pool<LayerJobs>, tree: number) {
    this.#pool = pool;
    this.#tree = tree;
  }

  /** The segments' bytes are moved. Where the tree is gone, the next insertion says so. */
  async restore(segments: readonly Uint8Array[], options: Options = {}): Promise<void> {
    const move = buffersOf(segments);
    await this.#pool.run("restore", { tree: this.#tree, segments }, { ...options, move });
  }

  /** @throws {CairnError} `engine.failed` when the worker dies of it */
  async insert(points: CloudPoints, { signal, move }: Options & { move?: boolean } = {}): Promise<Inserted | LostTree> {
    const options = { ...(signal && { signal }), ...(move && { move: buffersOfPoints(points) }) };
    return this.#pool.run("insert", { tree: this.#tree, points }, options);
  }

  /** Frees its memory. */
  async fell(): Promise<void> {
    // A pool that is closed or has lost its worker has freed it already.
    await this.#pool.run("fell", { tree: this.#tree }).catch(() => undefined);
  }
}
