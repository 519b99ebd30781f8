import { CairnError } from "@cairn/protocol/errors";

/** Triangles as a file has them: three corners each, nothing shared. */
export type Facets = Float32Array | Float64Array;

/** Files that hold triangles. */
export type MeshFormat = "stl" | "obj" | "glb" | "ply";

/** Most triangles that a file may have: what they take in memory is bounded with them. */
const MAX_FACETS = 30_000_000;

/** Facets of which nobody knows beforehand how many come. */
export class FacetList {
  #values = new Float64Array(9 * 1024);
  #length = 0;

  /** @throws {RangeError} above {@link MAX_FACETS} */
  add(a: ArrayLike<number>, b: ArrayLike<number>, c: ArrayLike<number>): void {
    if (this.#length + 9 > this.#values.length) {
      if (this.#length >= MAX_FACETS * 9) throw new RangeError("too many facets");
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    const values = this.#values;
    const at = this.#length;
    for (let axis = 0; axis < 3; axis++) {
      values[at + axis] = a[axis]!;
      values[at + 3 + axis] = b[axis]!;
      values[at + 6 + axis] = c[axis]!;
    }
    this.#length += 9;
  }

  take(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }
}

/** Why a file is not a mesh that can be read. */
export function refuseMesh(format: MeshFormat, problem: string, cause?: unknown): CairnError {
  return new CairnError("design.unreadable", { format, problem }, cause);
}
