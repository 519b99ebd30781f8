/** Reads segments, each held against its hash; says once of a blob that is lost or wrong that its layer is damaged. */
import type { Part } from "@cairn/cloud";
import type { Digest, LayerState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import { isDamage, type RangeSource, readPart } from "./layer-tables.ts";

export type Damage = { readonly space: Space; readonly layer: number; readonly blob: Digest };

export class PartReader {
  readonly #blobs: BlobStore;
  readonly #onDamage: (damage: Damage) => void;

  /** @param onDamage told each time; whoever hears it tells the log once */
  constructor(blobs: BlobStore, onDamage: (damage: Damage) => void) {
    this.#blobs = blobs;
    this.#onDamage = onDamage;
  }

  /** @throws {CairnError} `blob.missing`, `blob.corrupt`; the layer is then said to be damaged */
  async read(space: Space, layer: number, part: Part, blobs: RangeSource = this.#blobs): Promise<Uint8Array> {
    try {
      return await readPart(blobs, part);
    } catch (error) {
      this.heard(space, layer, part.blob, error);
      throw error;
    }
  }

  /** `undefined` when the part is lost, which is then said. */
  async readOrReport(
    space: Space,
    layer: number,
    part: Part,
    blobs: RangeSource = this.#blobs,
  ): Promise<Uint8Array | undefined> {
    try {
      return await this.read(space, layer, part, blobs);
    } catch (error) {
      if (isDamage(error)) return undefined;
      throw error;
    }
  }

  /** An error in reading a blob of a layer. One that the layer no longer names may be gone: that is no damage. */
  heard(space: Space, layer: number, blob: Digest, error: unknown): void {
    if (isDamage(error) && names(space.log.snapshot().state.layers[layer], blob))
      this.#onDamage({ space, layer, blob });
  }
}

/** Whether it takes the blob to read the layer. */
export function names(layer: LayerState | undefined, blob: Digest): boolean {
  if (!layer) return false;
  const { index, packs } = layer;
  return index?.index === blob || (index?.blobs.includes(blob) ?? false) || packs.some((pack) => pack.blob === blob);
}
