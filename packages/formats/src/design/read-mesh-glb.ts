/**
 * The triangles of a GLB file as its scene shows them: every mesh where its nodes put it, lists, strips and fans, plain
 * or quantised positions. What is compressed by an extension is refused by name.
 */
import { CHUNK_HEAD_BYTES, HEADER_BYTES, readBinaryHead, readGlbHeader } from "../glb/container.ts";
import { FacetList, type Facets, refuseMesh } from "./facets.ts";

type Json = Readonly<Record<string, unknown>>;
type Matrix = readonly number[];

const IDENTITY: Matrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
/** Nodes that show a mesh, counted as often as they are reached: scenes that refer to themselves end here. */
const MAX_NODES = 100_000;
/** Numbers that are read in all, each as often as something draws it: twice what the most triangles take. */
const MAX_NUMBERS = 600_000_000;
/** What a drawing costs beside its numbers, in numbers. */
const DRAWING_NUMBERS = 2000;

/** @throws {CairnError} `design.unreadable` */
export function readMeshGlb(bytes: Uint8Array): Facets {
  const header = readGlbHeader(bytes);
  if (typeof header === "string") throw refuseMesh("glb", header);
  const jsonAt = HEADER_BYTES + CHUNK_HEAD_BYTES;
  const binaryAt = jsonAt + header.jsonBytes;
  if (header.fileBytes > bytes.length || binaryAt > header.fileBytes)
    throw refuseMesh("glb", "is shorter than it says");
  const binaryBytes = readBinaryHead(bytes.subarray(binaryAt, binaryAt + CHUNK_HEAD_BYTES)) ?? 0;
  const start = binaryAt + CHUNK_HEAD_BYTES;
  if (start + binaryBytes > bytes.length && binaryBytes > 0) throw refuseMesh("glb", "is shorter than it says");
  let gltf: unknown;
  try {
    gltf = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(jsonAt, binaryAt)));
  } catch {
    throw refuseMesh("glb", "its JSON cannot be read");
  }
  const reader = new SceneReader(objectOf(gltf), bytes.subarray(start, start + binaryBytes));
  return reader.read();
}

class SceneReader {
  readonly #gltf: Json;
  readonly #binary: Uint8Array;
  readonly #facets = new FacetList();
  #nodes = 0;
  #numbers = 0;

  constructor(gltf: Json, binary: Uint8Array) {
    this.#gltf = gltf;
    this.#binary = binary;
  }

  read(): Facets {
    const scene = objectOf(listOf(this.#gltf.scenes)[indexOf(this.#gltf.scene ?? 0)] ?? {});
    for (const root of listOf(scene.nodes)) this.#node(indexOf(root), IDENTITY);
    const found = this.#facets.take();
    if (found.length === 0) throw refuseMesh("glb", "no triangles");
    return found;
  }

  #node(index: number, parent: Matrix, depth = 0): void {
    if (++this.#nodes > MAX_NODES || depth > 64) throw refuseMesh("glb", "too many nodes");
    const node = objectOf(listOf(this.#gltf.nodes)[index]);
    const matrix = times(parent, matrixOf(node));
    if (node.mesh !== undefined) {
      const mesh = objectOf(listOf(this.#gltf.meshes)[indexOf(node.mesh)]);
      for (const primitive of listOf(mesh.primitives)) this.#primitive(objectOf(primitive), matrix);
    }
    for (const child of listOf(node.children)) this.#node(indexOf(child), matrix, depth + 1);
  }

  #primitive(primitive: Json, matrix: Matrix): void {
    const mode = primitive.mode ?? 4;
    this.#spend(DRAWING_NUMBERS);
    if (mode !== 4 && mode !== 5 && mode !== 6) return;
    if (primitive.extensions && "KHR_draco_mesh_compression" in objectOf(primitive.extensions)) {
      throw refuseMesh("glb", "is compressed with Draco");
    }
    const positions = this.#accessor(indexOf(objectOf(primitive.attributes).POSITION), 3);
    const count = positions.length / 3;
    for (let at = 0; at < positions.length; at += 3) {
      const [x, y, z] = [positions[at]!, positions[at + 1]!, positions[at + 2]!];
      for (let row = 0; row < 3; row++) {
        positions[at + row] = matrix[row]! * x + matrix[row + 4]! * y + matrix[row + 8]! * z + matrix[row + 12]!;
      }
    }
    const indices = primitive.indices === undefined ? undefined : this.#accessor(indexOf(primitive.indices), 1);
    const corners = indices?.length ?? count;
    const corner = (i: number) => {
      const index = indices ? indices[i]! : i;
      if (!(index < count)) throw refuseMesh("glb", "a face names a vertex that is not there");
      return positions.subarray(index * 3, index * 3 + 3);
    };
    if (mode === 4) for (let i = 0; i + 2 < corners; i += 3) this.#facets.add(corner(i), corner(i + 1), corner(i + 2));
    for (let i = 2; mode !== 4 && i < corners; i++) {
      if (mode === 6) this.#facets.add(corner(0), corner(i - 1), corner(i));
      // Of a strip every second triangle is turned.
      else if (i % 2 === 0) this.#facets.add(corner(i - 2), corner(i - 1), corner(i));
      else this.#facets.add(corner(i - 1), corner(i - 2), corner(i));
    }
  }

  /** One accessor may be drawn many times over: a small file must not be work without end. */
  #spend(numbers: number): void {
    this.#numbers += numbers;
    if (this.#numbers > MAX_NUMBERS) throw refuseMesh("glb", "draws too much");
  }

  /** The numbers of an accessor, normalised where it says so. */
  #accessor(index: number, width: number): Float64Array {
    const accessor = objectOf(listOf(this.#gltf.accessors)[index]);
    if (accessor.sparse !== undefined) throw refuseMesh("glb", "has sparse accessors");
    const component = COMPONENTS.get(Number(accessor.componentType));
    const count = indexOf(accessor.count);
    if (!component || accessor.type !== (width === 3 ? "VEC3" : "SCALAR")) {
      throw refuseMesh("glb", "an accessor of another kind");
    }
    const view = objectOf(listOf(this.#gltf.bufferViews)[indexOf(accessor.bufferView)]);
    if (Object.keys(objectOf(view.extensions ?? {})).some((name) => name.endsWith("_meshopt_compression"))) {
      throw refuseMesh("glb", "is compressed with meshopt");
    }
    if (view.buffer !== 0) throw refuseMesh("glb", "its data are in another file");
    const start = indexOf(view.byteOffset ?? 0) + indexOf(accessor.byteOffset ?? 0);
    const end = indexOf(view.byteOffset ?? 0) + indexOf(view.byteLength);
    const stride = indexOf(view.byteStride ?? component.bytes * width);
    // With less, a count would be held against nothing.
    if (stride < component.bytes * width) throw refuseMesh("glb", "a stride that is too short");
    const last = start + (count - 1) * stride + component.bytes * width;
    if (count > 0 && (last > end || end > this.#binary.length)) throw refuseMesh("glb", "ends before its data");
    this.#spend(count * width);
    const data = new DataView(this.#binary.buffer, this.#binary.byteOffset, this.#binary.byteLength);
    const values = new Float64Array(count * width);
    const scale = accessor.normalized === true ? component.most : 1;
    for (let i = 0; i < count; i++) {
      for (let k = 0; k < width; k++) {
        const value = component.read(data, start + i * stride + k * component.bytes) / scale;
        values[i * width + k] = scale === 1 ? value : Math.max(-1, value);
      }
    }
    return values;
  }
}

type Component = { readonly bytes: number; readonly most: number; read(view: DataView, at: number): number };

const COMPONENTS = new Map<number, Component>([
  [5120, { bytes: 1, most: 127, read: (view, at) => view.getInt8(at) }],
  [5121, { bytes: 1, most: 255, read: (view, at) => view.getUint8(at) }],
  [5122, { bytes: 2, most: 32_767, read: (view, at) => view.getInt16(at, true) }],
  [5123, { bytes: 2, most: 65_535, read: (view, at) => view.getUint16(at, true) }],
  [5125, { bytes: 4, most: 2 ** 32 - 1, read: (view, at) => view.getUint32(at, true) }],
  [5126, { bytes: 4, most: 1, read: (view, at) => view.getFloat32(at, true) }],
]);

function objectOf(value: unknown): Json {
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw refuseMesh("glb", "its JSON is not glTF");
  return value as Json;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function indexOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > 2 ** 32) {
    throw refuseMesh("glb", "its JSON is not glTF");
  }
  return value;
}

/** Column-major, as glTF writes them. */
function matrixOf(node: Json): Matrix {
  const numbers = (value: unknown, usual: readonly number[]) => {
    const list = value === undefined ? usual : listOf(value).map(Number);
    if (list.length !== usual.length) throw refuseMesh("glb", "a node without a place");
    return list;
  };
  if (node.matrix !== undefined) return numbers(node.matrix, IDENTITY);
  const [tx, ty, tz] = numbers(node.translation, [0, 0, 0]) as [number, number, number];
  const [x, y, z, w] = numbers(node.rotation, [0, 0, 0, 1]) as [number, number, number, number];
  const [sx, sy, sz] = numbers(node.scale, [1, 1, 1]) as [number, number, number];
  return [
    (1 - 2 * (y * y + z * z)) * sx,
    2 * (x * y + z * w) * sx,
    2 * (x * z - y * w) * sx,
    0,
    2 * (x * y - z * w) * sy,
    (1 - 2 * (x * x + z * z)) * sy,
    2 * (y * z + x * w) * sy,
    0,
    2 * (x * z + y * w) * sz,
    2 * (y * z - x * w) * sz,
    (1 - 2 * (x * x + y * y)) * sz,
    0,
    tx,
    ty,
    tz,
    1,
  ];
}

function times(a: Matrix, b: Matrix): Matrix {
  return Array.from({ length: 16 }, (_, at) => {
    const [row, column] = [at % 4, at - (at % 4)];
    return [0, 1, 2, 3].reduce((sum, k) => sum + a[row + 4 * k]! * b[column + k]!, 0);
  });
}
