/** Triangles as flat arrays that worker threads can share, and a builder that grows them. Metres, +Y up. */

export type Vec = readonly [number, number, number];

/** What a triangle is made of; `paint.ts` knows how each looks. */
export const STONE = 0;
export const GROUND = 1;
export const BLADE = 2;
export const FLOWER = 3;

export type Mesh = {
  /** `[vertices, 3]` */
  readonly positions: Float32Array;
  /** `[vertices, 3]` unit length */
  readonly normals: Float32Array;
  /** `[triangles, 3]` */
  readonly triangles: Uint32Array;
  /** `[triangles]` material in the low 2 bits, then the index of the thing it belongs to. */
  readonly owners: Uint32Array;
};

function shared(sizeBytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(4, sizeBytes));
}

export function sharedF32(length: number): Float32Array {
  return new Float32Array(shared(length * 4));
}

export function sharedU32(length: number): Uint32Array {
  return new Uint32Array(shared(length * 4));
}

export class MeshBuilder {
  #positions = new Float32Array(1 << 16);
  #triangles = new Uint32Array(1 << 16);
  #owners = new Uint32Array(1 << 14);
  #vertexCount = 0;
  #triangleCount = 0;

  get vertexCount(): number {
    return this.#vertexCount;
  }

  vertex(x: number, y: number, z: number): number {
    const at = this.#vertexCount * 3;
    if (at + 3 > this.#positions.length) {
      const larger = new Float32Array(this.#positions.length * 2);
      larger.set(this.#positions);
      this.#positions = larger;
    }
    this.#positions[at] = x;
    this.#positions[at + 1] = y;
    this.#positions[at + 2] = z;
    return this.#vertexCount++;
  }

  /** Counter-clockwise seen from outside. */
  triangle(a: number, b: number, c: number, material: number, thing: number): void {
    const at = this.#triangleCount * 3;
    if (at + 3 > this.#triangles.length) {
      const larger = new Uint32Array(this.#triangles.length * 2);
      larger.set(this.#triangles);
      this.#triangles = larger;
    }
    if (this.#triangleCount === this.#owners.length) {
      const larger = new Uint32Array(this.#owners.length * 2);
      larger.set(this.#owners);
      this.#owners = larger;
    }
    this.#triangles[at] = a;
    this.#triangles[at + 1] = b;
    this.#triangles[at + 2] = c;
    this.#owners[this.#triangleCount++] = (thing << 2) | material;
  }

  /** Copies into shared memory, with area-weighted vertex normals. */
  finish(): Mesh {
    const positions = sharedF32(this.#vertexCount * 3);
    positions.set(this.#positions.subarray(0, this.#vertexCount * 3));
    const triangles = sharedU32(this.#triangleCount * 3);
    triangles.set(this.#triangles.subarray(0, this.#triangleCount * 3));
    const owners = sharedU32(this.#triangleCount);
    owners.set(this.#owners.subarray(0, this.#triangleCount));
    const normals = sharedF32(this.#vertexCount * 3);
    addNormals(positions, triangles, normals);
    return { positions, normals, triangles, owners };
  }
}

function addNormals(positions: Float32Array, triangles: Uint32Array, normals: Float32Array): void {
  for (let t = 0; t < triangles.length; t += 3) {
    const a = triangles[t] * 3;
    const b = triangles[t + 1] * 3;
    const c = triangles[t + 2] * 3;
    const ux = positions[b] - positions[a];
    const uy = positions[b + 1] - positions[a + 1];
    const uz = positions[b + 2] - positions[a + 2];
    const vx = positions[c] - positions[a];
    const vy = positions[c + 1] - positions[a + 1];
    const vz = positions[c + 2] - positions[a + 2];
    const x = uy * vz - uz * vy;
    const y = uz * vx - ux * vz;
    const z = ux * vy - uy * vx;
    for (const at of [a, b, c]) {
      normals[at] += x;
      normals[at + 1] += y;
      normals[at + 2] += z;
    }
  }
  for (let i = 0; i < normals.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    normals[i] /= length;
    normals[i + 1] /= length;
    normals[i + 2] /= length;
  }
}
