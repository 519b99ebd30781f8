/** What is seen of a file's points as they are gone through once: where all lie, and some of them from everywhere. */
import type { Vec3 } from "@cairn/protocol";

export type Survey = {
  /** Of those that have a place; `undefined` where none has. */
  readonly all: { readonly min: Vec3; readonly max: Vec3 } | undefined;
  /** Every so manieth point that has a place, some 20,000. */
  readonly sample: readonly Vec3[];
};

const SAMPLE = 20_000;

export class Surveyor {
  readonly #stride: number;
  readonly #min: Vec3 = [Infinity, Infinity, Infinity];
  readonly #max: Vec3 = [-Infinity, -Infinity, -Infinity];
  readonly #sample: Vec3[] = [];
  #seen = 0;

  /** @param count of the points that will come, at most */
  constructor(count: number) {
    this.#stride = Math.max(1, Math.floor(count / SAMPLE));
  }

  get seen(): number {
    return this.#seen;
  }

  get survey(): Survey {
    const [min, max] = [this.#min, this.#max];
    return { all: min[0] <= max[0] ? { min, max } : undefined, sample: this.#sample };
  }

  /** @param positions `[n, 3]` */
  add(positions: Float64Array): void {
    const [min, max] = [this.#min, this.#max];
    for (let i = 0; i + 2 < positions.length; i += 3, this.#seen++) {
      const [x, y, z] = [positions[i]!, positions[i + 1]!, positions[i + 2]!];
      if (!(Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(z))) continue;
      if (x < min[0]) min[0] = x;
      if (x > max[0]) max[0] = x;
      if (y < min[1]) min[1] = y;
      if (y > max[1]) max[1] = y;
      if (z < min[2]) min[2] = z;
      if (z > max[2]) max[2] = z;
      if (this.#seen % this.#stride === 0) this.#sample.push([x, y, z]);
    }
  }
}
