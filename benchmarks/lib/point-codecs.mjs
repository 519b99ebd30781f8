/**
 * Coloured points as bytes, in four ways, for `codec.mjs`. Each takes `{ positions, colors, low, step, bits }`, where
 * `low` is the lowest corner of the cube of `2^bits` steps that holds the points, and gives back colours and what a
 * renderer takes: `positions`, or `coords` in steps, which the GPU scales.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { decodeSegment, encodeSegment } from "@cairn/cloud";
import draco3d from "draco3d";
import { MeshoptDecoder, MeshoptEncoder } from "meshoptimizer";

await MeshoptEncoder.ready;
await MeshoptDecoder.ready;
const dracoEncoder = await draco3d.createEncoderModule({});
const dracoDecoder = await draco3d.createDecoderModule({});
/** Has no name in the JavaScript module: draco's PointCloudEncodingMethod. Without it encoding is sequential. */
const POINT_CLOUD_KD_TREE_ENCODING = 1;

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** @returns `[n, 3]` integers of `bits` bits */
function quantize({ positions, low, step, bits }) {
  const top = 2 ** bits - 1;
  const [lowX, lowY, lowZ] = low;
  const coords = new Uint16Array(positions.length);
  for (let i = 0; i < positions.length; i += 3) {
    coords[i] = Math.min(top, (positions[i] - lowX) / step + 0.5);
    coords[i + 1] = Math.min(top, (positions[i + 1] - lowY) / step + 0.5);
    coords[i + 2] = Math.min(top, (positions[i + 2] - lowZ) / step + 0.5);
  }
  return coords;
}

function encode(cloud, thorough) {
  const node = { e: 0, x: 21845 * 64, y: 21845 * 64, z: 21845 * 64 }; // as large as they are in a real tree
  const count = cloud.positions.length / 3;
  const { bits, colors } = cloud;
  return encodeSegment({ node, bits, count, coords: quantize(cloud), colors, photos: 1 }, { thorough });
}

export const cairn = {
  name: "Cairn segment",
  encode: (cloud) => encode(cloud, false),
  decode(bytes) {
    const { coords, colors } = decodeSegment(bytes);
    return { coords, stride: 3, colors };
  },
};

/** As compaction writes it, in a worker, for those who join late. */
export const cairnCompacted = { ...cairn, name: "Cairn, compacted", encode: (cloud) => encode(cloud, true) };

export const draco = {
  name: "Draco, kd-tree, speed 0",
  encode({ positions, colors, low, step, bits }) {
    const count = positions.length / 3;
    const encoder = new dracoEncoder.Encoder();
    const builder = new dracoEncoder.PointCloudBuilder();
    const points = new dracoEncoder.PointCloud();
    const out = new dracoEncoder.DracoInt8Array();
    builder.AddFloatAttribute(points, dracoEncoder.POSITION, count, 3, positions);
    builder.AddUInt8Attribute(points, dracoEncoder.COLOR, count, 3, colors);
    encoder.SetSpeedOptions(0, 0);
    encoder.SetEncodingMethod(POINT_CLOUD_KD_TREE_ENCODING);
    // The same grid as the others', not one of the points' own bounds.
    encoder.SetAttributeExplicitQuantization(dracoEncoder.POSITION, bits, 3, low, step * (2 ** bits - 1));
    encoder.SetAttributeQuantization(dracoEncoder.COLOR, 8);
    const length = encoder.EncodePointCloudToDracoBuffer(points, false, out);
    if (length <= 0) throw new Error("Draco did not encode");
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = out.GetValue(i);
    for (const thing of [out, points, builder, encoder]) dracoEncoder.destroy(thing);
    return bytes;
  },
  decode(bytes) {
    const decoder = new dracoDecoder.Decoder();
    const buffer = new dracoDecoder.DecoderBuffer();
    const points = new dracoDecoder.PointCloud();
    buffer.Init(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length);
    const status = decoder.DecodeBufferToPointCloud(buffer, points);
    if (!status.ok()) throw new Error(status.error_msg());
    const count = points.num_points();
    const read = (kind, type, ArrayType) => {
      const attribute = decoder.GetAttribute(points, decoder.GetAttributeId(points, kind));
      const sizeBytes = count * 3 * ArrayType.BYTES_PER_ELEMENT;
      const at = dracoDecoder._malloc(sizeBytes);
      decoder.GetAttributeDataArrayForAllPoints(points, attribute, type, sizeBytes, at);
      const array = new ArrayType(dracoDecoder.HEAPU8.slice(at, at + sizeBytes).buffer);
      dracoDecoder._free(at);
      return array;
    };
    const positions = read(dracoDecoder.POSITION, dracoDecoder.DT_FLOAT32, Float32Array);
    const colors = read(dracoDecoder.COLOR, dracoDecoder.DT_UINT8, Uint8Array);
    for (const thing of [points, buffer, decoder]) dracoDecoder.destroy(thing);
    return { positions, colors };
  },
};

/**
 * The strongest form of it that was found: points in Morton order, colours less their green, vertex codec version 1.
 * Raw RGB is 6 to 9 % larger, levels 2 and 3 are alike.
 */
export const meshopt = {
  name: "meshoptimizer + deflate",
  encode(cloud) {
    const count = cloud.positions.length / 3;
    const coords = quantize(cloud);
    const order = mortonOrder(coords, count);
    const places = new Uint16Array(count * 4);
    const tones = new Uint8Array(count * 4);
    for (let i = 0, to = 0; i < count; i++, to += 4) {
      const from = order[i] * 3;
      places[to] = coords[from];
      places[to + 1] = coords[from + 1];
      places[to + 2] = coords[from + 2];
      const green = cloud.colors[from + 1];
      tones[to] = green;
      tones[to + 1] = cloud.colors[from] - green;
      tones[to + 2] = cloud.colors[from + 2] - green;
    }
    const a = MeshoptEncoder.encodeVertexBufferLevel(bytesOf(places), count, 8, 2, 1);
    const b = MeshoptEncoder.encodeVertexBufferLevel(tones, count, 4, 2, 1);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(count, 0);
    head.writeUInt32LE(a.length, 4);
    return Buffer.concat([head, deflateRawSync(Buffer.concat([a, b]), { level: 6 })]);
  },
  decode(bytes) {
    const count = bytes.readUInt32LE(0);
    const split = bytes.readUInt32LE(4);
    const body = inflateRawSync(bytes.subarray(8));
    const places = new Uint16Array(count * 4);
    const tones = new Uint8Array(count * 4);
    MeshoptDecoder.decodeVertexBuffer(bytesOf(places), count, 8, body.subarray(0, split));
    MeshoptDecoder.decodeVertexBuffer(tones, count, 4, body.subarray(split));
    const colors = new Uint8Array(count * 3);
    for (let i = 0, from = 0; i < count * 3; i += 3, from += 4) {
      const green = tones[from];
      colors[i] = tones[from + 1] + green;
      colors[i + 1] = green;
      colors[i + 2] = tones[from + 2] + green;
    }
    return { coords: places, stride: 4, colors };
  },
};

/** What many servers do: a binary PLY as base64 in a JSON message. */
export const base64Ply = {
  name: "base64 PLY in JSON",
  encode({ positions, colors }) {
    const count = positions.length / 3;
    const properties = ["float x", "float y", "float z", "uchar red", "uchar green", "uchar blue"];
    const header = `ply\nformat binary_little_endian 1.0\nelement vertex ${count}\n${properties.map((p) => `property ${p}\n`).join("")}end_header\n`;
    const bytes = Buffer.alloc(header.length + count * 15);
    bytes.write(header, "latin1");
    const source = bytesOf(positions);
    for (let i = 0, at = header.length; i < count; i++, at += 15) {
      for (let k = 0; k < 12; k++) bytes[at + k] = source[i * 12 + k];
      for (let k = 0; k < 3; k++) bytes[at + 12 + k] = colors[i * 3 + k];
    }
    return Buffer.from(JSON.stringify({ type: "points", data: bytes.toString("base64") }));
  },
  decode(message) {
    const bytes = Buffer.from(JSON.parse(message.toString()).data, "base64");
    const start = bytes.indexOf("end_header\n") + 11;
    const count = (bytes.length - start) / 15;
    const positions = new Float32Array(count * 3);
    const colors = new Uint8Array(count * 3);
    const target = bytesOf(positions);
    for (let i = 0, at = start; i < count; i++, at += 15) {
      for (let k = 0; k < 12; k++) target[i * 12 + k] = bytes[at + k];
      for (let k = 0; k < 3; k++) colors[i * 3 + k] = bytes[at + 12 + k];
    }
    return { positions, colors };
  },
};

const SPREAD = Uint32Array.from({ length: 256 }, (_, byte) => {
  let spread = 0;
  for (let bit = 0; bit < 8; bit++) spread |= ((byte >> bit) & 1) << (3 * bit);
  return spread;
});

/** Radix sort of 48-bit keys, 12 bits a pass. */
function mortonOrder(coords, count) {
  const words = [new Uint32Array(count), new Uint32Array(count)];
  for (let word = 0; word < 2; word++)
    for (let i = 0, j = 0; i < count; i++, j += 3)
      for (let axis = 0; axis < 3; axis++) words[word][i] |= SPREAD[(coords[j + axis] >> (8 * word)) & 255] << axis;
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  let spare = new Uint32Array(count);
  for (const word of words) {
    for (const shift of [0, 12]) {
      const starts = new Uint32Array(4097);
      for (let i = 0; i < count; i++) starts[((word[i] >>> shift) & 4095) + 1]++;
      for (let digit = 0; digit < 4096; digit++) starts[digit + 1] += starts[digit];
      for (let i = 0; i < count; i++) spare[starts[(word[order[i]] >>> shift) & 4095]++] = order[i];
      [order, spare] = [spare, order];
    }
  }
  return order;
}
