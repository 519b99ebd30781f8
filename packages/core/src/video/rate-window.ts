/** Bytes and pictures of the last seconds, in slots that are used again. */
const SLOT_MS = 250;
const SLOTS = 20;
export const WINDOW_MS = SLOT_MS * SLOTS;

export class RateWindow {
  readonly #bytes = new Float64Array(SLOTS);
  readonly #pictures = new Float64Array(SLOTS);
  #slot = 0;

  add(nowMs: number, bytes: number, pictures: number): void {
    this.#forget(nowMs);
    this.#bytes[this.#slot % SLOTS]! += bytes;
    this.#pictures[this.#slot % SLOTS]! += pictures;
  }

  /** Mbit/s and pictures a second over the last 5 s. */
  read(nowMs: number): { mbps: number; picturesPerS: number } {
    this.#forget(nowMs);
    const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
    return {
      mbps: (sum(this.#bytes) * 8) / (WINDOW_MS * 1000),
      picturesPerS: sum(this.#pictures) / (WINDOW_MS / 1000),
    };
  }

  #forget(nowMs: number): void {
    const slot = Math.floor(nowMs / SLOT_MS);
    for (let each = Math.max(this.#slot + 1, slot - SLOTS + 1); each <= slot; each++) {
      this.#bytes[each % SLOTS] = 0;
      this.#pictures[each % SLOTS] = 0;
    }
    this.#slot = Math.max(this.#slot, slot);
  }
}
