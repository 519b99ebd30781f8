/**
 * What a glTF document says, read by someone who trusts none of it: every index, offset and count is held against what
 * it points into before anything is allocated for it (glTF 2.0 §3.6, §5).
 */
import { asCount, asList, asObject, invalid, type Json, numbers } from "./gltf-json.ts";
import { IDENTITY, localMatrix, multiply } from "./node-transform.ts";

const COMPONENTS: Readonly<Record<number, { bytes: number; name: ComponentName }>> = {
  5120: { bytes: 1, name: "i8" },
  5121: { bytes: 1, name: "u8" },
  5122: { bytes: 2, name: "i16" },
  5123: { bytes: 2, name: "u16" },
  5126: { bytes: 4, name: "f32" },
};
export type ComponentName = "i8" | "u8" | "i16" | "u16" | "u32" | "f32";
const INDEX_COMPONENTS: typeof COMPONENTS = {
  5121: { bytes: 1, name: "u8" },
  5123: { bytes: 2, name: "u16" },
  5125: { bytes: 4, name: "u32" },
};

/** Bytes of the binary chunk, as they are or through meshoptimizer. */
export type BufferView = {
  readonly index: number;
  readonly start: number;
  readonly end: number;
  readonly meshopt?: { readonly count: number; readonly stride: number; readonly filter: MeshoptFilter };
  /** Once decoded. */
  readonly sizeBytes: number;
  readonly stride: number | undefined;
};
type MeshoptFilter = "NONE" | "OCTAHEDRAL" | "QUATERNION" | "EXPONENTIAL" | "COLOR";
const FILTERS: readonly string[] = ["NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL", "COLOR"];

export type Accessor = {
  /** Left out: all 0, but for what is sparse. */
  readonly view?: BufferView;
  /** First byte within the view. */
  readonly offset: number;
  readonly stride: number;
  readonly count: number;
  readonly component: ComponentName;
  readonly normalized: boolean;
  readonly width: 3 | 4;
  /** Items that are others: their places, which have to ascend, and what is there. */
  readonly sparse?: { readonly places: Indices; readonly values: Accessor };
};

type ItemKind = Pick<Accessor, "component" | "normalized" | "width"> & { readonly componentBytes: number };

/** Whole numbers, one after the other. */
export type Indices = {
  readonly view: BufferView;
  readonly offset: number;
  readonly count: number;
  readonly component: ComponentName;
  readonly itemBytes: number;
};

export type PointPrimitive = {
  /** Of points, at most. */
  readonly count: number;
  /** Which of the positions are drawn. Left out: all. */
  readonly drawn?: Indices;
  readonly position: Accessor;
  readonly color?: Accessor;
  readonly normal?: Accessor;
  /** Linear, multiplies the colours. */
  readonly baseColor: readonly [number, number, number];
  /** Column-major, to the scene's frame, Y up. */
  readonly matrix: readonly number[];
};

const MAX_POINTS = 2 ** 32;
/** What is drawn of so many is noted down, a byte each. */
const MAX_INDEXED = 2 ** 26;
/** Items without bytes of their own that are believed, for each byte of the file. */
const MAX_ITEMS_A_BYTE = 64;
/** A view that is decoded is held whole. */
const MAX_DECODED_BYTES = 2 ** 29;
/** The most that meshoptimizer's vertex codec can grow bytes: version 1 leaves four planes of 256 zeros in one byte. */
const MAX_EXPANSION = 1100;

/** Every drawing of points in the scene that is shown, in the order of the nodes. @throws {CairnError} `import.invalid` */
export function pointPrimitives(json: unknown, binaryBytes: number): PointPrimitive[] {
  const document = new GltfDocument(asObject(json, "the document"), binaryBytes);
  return document.points();
}

class GltfDocument {
  readonly #json: Json;
  readonly #binaryBytes: number;

  constructor(json: Json, binaryBytes: number) {
    this.#json = json;
    this.#binaryBytes = binaryBytes;
    const required = json.extensionsRequired;
    for (const name of required === undefined ? [] : asList(required, "extensionsRequired"))
      if (!KNOWN_EXTENSIONS.has(String(name))) throw invalid(`needs the extension ${String(name).slice(0, 64)}`);
  }

  points(): PointPrimitive[] {
    const found: PointPrimitive[] = [];
    let count = 0;
    const seen = new Set<number>();
    const open = this.#rootNodes().map((index) => ({ index, above: IDENTITY }));
    open.reverse();
    for (let next = open.pop(); next; next = open.pop()) {
      if (seen.has(next.index)) throw invalid("a node has two parents or is its own");
      seen.add(next.index);
      const node = this.#item("nodes", next.index);
      const matrix = multiply(next.above, localMatrix(node));
      if (!matrix.every(Number.isFinite)) throw invalid("a node's transform is not finite");
      if (node.mesh !== undefined) {
        const { primitives } = this.#item("meshes", node.mesh);
        for (const each of asList(primitives, "primitives")) {
          const primitive = asObject(each, "a primitive");
          if (primitive.mode !== 0) continue;
          const points = this.#primitive(primitive, matrix);
          // One accessor may be drawn many times over.
          count += points.count;
          if (count > MAX_POINTS) throw invalid(`has more than ${MAX_POINTS} points`);
          found.push(points);
        }
      }
      const children = node.children === undefined ? [] : asList(node.children, "children");
      for (const child of children.toReversed()) open.push({ index: asCount(child, "a child"), above: matrix });
    }
    return found;
  }

  #rootNodes(): number[] {
    const nodes = this.#json.nodes === undefined ? [] : asList(this.#json.nodes, "nodes");
    if (this.#json.scenes !== undefined) {
      const scene = this.#item("scenes", this.#json.scene ?? 0);
      const tops = scene.nodes === undefined ? [] : asList(scene.nodes, "a scene's nodes");
      return tops.map((index) => asCount(index, "a scene's node"));
    }
    const below = new Set(nodes.flatMap((node) => asList(asObject(node, "a node").children ?? [], "children")));
    return nodes.map((_, index) => index).filter((index) => !below.has(index));
  }

  #primitive(primitive: Json, matrix: readonly number[]): PointPrimitive {
    const attributes = asObject(primitive.attributes, "attributes");
    if (attributes.POSITION === undefined) throw invalid("points without POSITION");
    const position = this.#accessor(attributes.POSITION, "POSITION");
    if (position.width !== 3) throw invalid("POSITION is not VEC3");
    const optional = (name: string): Accessor | undefined => {
      if (attributes[name] === undefined) return undefined;
      const accessor = this.#accessor(attributes[name], name);
      if (accessor.count !== position.count) throw invalid(`${name} has another count than POSITION`);
      return accessor;
    };
    const color = optional("COLOR_0");
    const normal = optional("NORMAL");
    if (color && color.component !== "f32" && !color.normalized) throw invalid("COLOR_0 is not normalized");
    if (normal && (normal.width !== 3 || (normal.component !== "f32" && !normal.normalized)))
      throw invalid("NORMAL is not a normalized VEC3");
    const baseColor = this.#baseColor(primitive.material);
    const drawn = primitive.indices === undefined ? undefined : this.#drawn(primitive.indices, position.count);
    const count = Math.min(position.count, drawn?.count ?? Infinity);
    const optionals = { ...(drawn && { drawn }), ...(color && { color }), ...(normal && { normal }) };
    return { count, position, ...optionals, baseColor, matrix };
  }

  #drawn(index: unknown, points: number): Indices {
    const accessor = this.#item("accessors", index);
    if (accessor.type !== "SCALAR") throw invalid("indices have a type that they cannot have");
    if (accessor.sparse !== undefined) throw invalid("indices are sparse, which is not read");
    if (points > MAX_INDEXED) throw invalid(`has indices of more than ${MAX_INDEXED} points`);
    return this.#indices(accessor, asCount(accessor.count, "count"), "indices");
  }

  #indices(from: Json, count: number, name: string): Indices {
    const component = INDEX_COMPONENTS[asCount(from.componentType, "componentType")];
    if (!component) throw invalid(`${name} have a type that they cannot have`);
    const view = this.#view(from.bufferView);
    const offset = asCount(from.byteOffset ?? 0, "byteOffset");
    if (count < 1 || offset % component.bytes !== 0) throw invalid(`${name} have a count or place that cannot be`);
    if ((view.stride ?? component.bytes) !== component.bytes) throw invalid(`${name} have a stride`);
    if (offset + count * component.bytes > view.sizeBytes) throw invalid(`${name} reach beyond their buffer`);
    return { view, offset, count, component: component.name, itemBytes: component.bytes };
  }

  #baseColor(material: unknown): [number, number, number] {
    if (material === undefined) return [1, 1, 1];
    const pbr = asObject(this.#item("materials", material).pbrMetallicRoughness ?? {}, "a material");
    const [red, green, blue] = numbers(pbr.baseColorFactor ?? [1, 1, 1, 1], 4, "baseColorFactor");
    return [red!, green!, blue!];
  }

  #accessor(index: unknown, name: string): Accessor {
    const accessor = this.#item("accessors", index);
    const { bufferView } = accessor;
    if (bufferView === undefined && accessor.sparse === undefined) throw invalid(`${name} has no data`);
    const component = COMPONENTS[asCount(accessor.componentType, "componentType")];
    const width = accessor.type === "VEC3" ? 3 : accessor.type === "VEC4" ? 4 : undefined;
    if (!component || !width) throw invalid(`${name} has a type that it cannot have`);
    const normalized = accessor.normalized === true;
    const kind: ItemKind = { component: component.name, componentBytes: component.bytes, normalized, width };
    const count = asCount(accessor.count, "count");
    if (count < 1 || count > MAX_POINTS) throw invalid(`${name} has a count that cannot be`);
    if (bufferView === undefined && count > this.#binaryBytes * MAX_ITEMS_A_BYTE)
      throw invalid(`${name} has more items than its bytes can mean`);
    const base =
      bufferView === undefined ? { ...kind, offset: 0, stride: 0, count } : this.#items(accessor, count, kind, name);
    if (accessor.sparse === undefined) return base;
    const sparse = asObject(accessor.sparse, "sparse");
    const others = asCount(sparse.count, "count");
    if (others > count) throw invalid(`${name} has more sparse items than items`);
    const places = this.#indices(asObject(sparse.indices, "sparse indices"), others, "sparse indices");
    const values = this.#items(asObject(sparse.values, "sparse values"), others, kind, `what is sparse of ${name}`);
    return { ...base, sparse: { places, values } };
  }

  #items(from: Json, count: number, kind: ItemKind, name: string): Accessor {
    const view = this.#view(from.bufferView);
    const offset = asCount(from.byteOffset ?? 0, "byteOffset");
    const sizeBytes = kind.componentBytes * kind.width;
    const stride = view.stride ?? sizeBytes;
    if (stride < sizeBytes) throw invalid(`${name} has a stride that cannot be`);
    if (offset % kind.componentBytes !== 0 || stride % kind.componentBytes !== 0)
      throw invalid(`${name} is not aligned`);
    if (offset + (count - 1) * stride + sizeBytes > view.sizeBytes) throw invalid(`${name} reaches beyond its buffer`);
    return { ...kind, view, offset, stride, count };
  }

  #view(index: unknown): BufferView {
    const view = this.#item("bufferViews", index);
    const number = asCount(index, "bufferView");
    const stride = view.byteStride === undefined ? undefined : asCount(view.byteStride, "byteStride");
    if (stride !== undefined && (stride < 1 || stride > 255)) throw invalid("byteStride cannot be");
    const extensions = asObject(view.extensions ?? {}, "extensions");
    const packed = extensions.KHR_meshopt_compression ?? extensions.EXT_meshopt_compression;
    if (packed === undefined) {
      const { start, end } = this.#bytes(view);
      return { index: number, start, end, sizeBytes: end - start, stride };
    }
    const meshopt = asObject(packed, "a meshopt view");
    const { start, end } = this.#bytes(meshopt);
    const count = asCount(meshopt.count, "count");
    const packedStride = asCount(meshopt.byteStride, "byteStride");
    const filter = String(meshopt.filter ?? "NONE");
    if (meshopt.mode !== "ATTRIBUTES" || !FILTERS.includes(filter)) throw invalid("a meshopt view has an unknown mode");
    if (packedStride < 4 || packedStride > 256 || packedStride % 4 !== 0)
      throw invalid("a meshopt view's stride cannot be");
    const sizeBytes = count * packedStride;
    if (sizeBytes > (end - start) * MAX_EXPANSION) throw invalid("a meshopt view says more than its bytes can hold");
    if (sizeBytes > MAX_DECODED_BYTES) throw invalid(`a meshopt view is larger than ${MAX_DECODED_BYTES} bytes`);
    return {
      index: number,
      start,
      end,
      meshopt: { count, stride: packedStride, filter: filter as MeshoptFilter },
      sizeBytes,
      stride: packedStride,
    };
  }

  /** Of the binary chunk: other buffers would be other files. */
  #bytes(from: Json): { start: number; end: number } {
    const index = asCount(from.buffer, "buffer");
    const buffer = this.#item("buffers", index);
    if (buffer.uri !== undefined || index !== 0) throw invalid("its data lie in another file; save it as one GLB");
    const start = asCount(from.byteOffset ?? 0, "byteOffset");
    const end = start + asCount(from.byteLength, "byteLength");
    if (end > asCount(buffer.byteLength, "byteLength") || end > this.#binaryBytes)
      throw invalid("a view reaches beyond the file");
    return { start, end };
  }

  #item(list: string, index: unknown): Json {
    const items = asList(this.#json[list], list);
    return asObject(items[asCount(index, list)], `${list}[${String(index).slice(0, 16)}]`);
  }
}

const KNOWN_EXTENSIONS = new Set([
  "KHR_mesh_quantization",
  "KHR_materials_unlit",
  "EXT_meshopt_compression",
  "KHR_meshopt_compression",
]);
