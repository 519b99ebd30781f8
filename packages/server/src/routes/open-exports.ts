/**
 * Exports on their way to somebody. Each holds files, a thread or a place on the disk for as long as its reader takes, so
 * there are only so many: far more than people take at once, for a space and for the whole server. EXC-29.
 */
import { CairnError, type SpaceId } from "@cairn/protocol";

const OF_A_SPACE = 12;
const OF_ALL = 32;

export class OpenExports {
  readonly #bySpace = new Map<SpaceId, number>();
  #all = 0;

  /** One more, until `reader` aborts. @throws {CairnError} `request.rate_limited`, and what `reader` says */
  begin(space: SpaceId, reader: AbortSignal): void {
    reader.throwIfAborted();
    const ofSpace = this.#bySpace.get(space) ?? 0;
    if (ofSpace >= OF_A_SPACE || this.#all >= OF_ALL)
      throw new CairnError("request.rate_limited", { exports: ofSpace >= OF_A_SPACE ? ofSpace : this.#all });
    this.#bySpace.set(space, ofSpace + 1);
    this.#all++;
    reader.addEventListener("abort", () => this.#end(space), { once: true });
  }

  #end(space: SpaceId): void {
    this.#all--;
    const left = this.#bySpace.get(space)! - 1;
    if (left > 0) this.#bySpace.set(space, left);
    else this.#bySpace.delete(space);
  }
}
