/**
 * Depth maps by what they were sought from. One that is on the shelf or in the cache is taken from there; any other is
 * sought now. Which it was changes nothing but the time.
 */
import type { DepthMap, PosedDepth } from "../dense/contract.ts";
import type { EngineCache } from "../engine.ts";
import type { Scene } from "../mapper/scene.ts";
import type { DenseKernels } from "./dense-kernels.ts";
import { deflateDepth, inflateDepth, packDepth, unpackDepth } from "./packed-depth.ts";
import type { Pictures } from "./pictures.ts";
import type { Shelf } from "./shelf.ts";
import { type SoughtDepth, standOf } from "./sought-depth.ts";
import { Straightened } from "./straightened.ts";

export class DepthLibrary {
  readonly #kernels: DenseKernels;
  readonly #straightened: Straightened;
  readonly #shelf: Shelf;
  readonly #cache: EngineCache | undefined;

  constructor(kernels: DenseKernels, pictures: Pictures, shelf: Shelf, cache: EngineCache | undefined) {
    this.#kernels = kernels;
    this.#straightened = new Straightened(kernels, pictures);
    this.#shelf = shelf;
    this.#cache = cache;
  }

  /** Sees to it that the depth is there. */
  async fetch(sought: SoughtDepth, signal: AbortSignal | undefined): Promise<void> {
    await this.#packed(sought, signal);
  }

  /**
   * The depth map, in the camera as it stands now; the caller's own.
   * @param scale what lengths of the model have grown by since it was sought
   * @param pictureSidePx of the picture whose pixels become points
   */
  async posed(
    sought: SoughtDepth,
    scene: Scene,
    scale: number,
    pictureSidePx: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<PosedDepth> {
    const packed = await this.#packed(sought, signal);
    const stand = standOf(scene, sought.reference.view);
    const view = await this.#straightened.give(stand, sought.sidePx, signal);
    const picture = pictureSidePx && (await this.#straightened.give(stand, pictureSidePx, signal));
    return { view, depth: unpackDepth(packed, scale), ...(picture && { picture }) };
  }

  forget({ key }: SoughtDepth): void {
    this.#shelf.drop(key);
  }

  async #packed(sought: SoughtDepth, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { key, range } = sought;
    const held = this.#shelf.get(key);
    if (held) return held;
    const kept = await this.#cache?.get(key);
    const known = kept && (await inflateDepth(kept));
    if (known) {
      this.#shelf.put(key, known);
      return known;
    }
    const packed = packDepth(await this.#seek(sought, signal), range);
    this.#shelf.put(key, packed);
    if (this.#cache) await this.#cache.put(key, await deflateDepth(packed));
    return packed;
  }

  async #seek({ reference, sources, sidePx, range, quality }: SoughtDepth, signal?: AbortSignal): Promise<DepthMap> {
    const [view, ...others] = await Promise.all(
      [reference, ...sources].map((stand) => this.#straightened.lend(stand, sidePx, signal)),
    );
    return this.#kernels.depth(view, others, range, { ...quality, ...(signal && { signal }) });
  }
}
