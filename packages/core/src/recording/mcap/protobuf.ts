/**
 * `foxglove.CompressedVideo` as protobuf, which carries pictures as they are; in JSON they would be a third larger. The
 * schema is the message's own description in protobuf's terms (`FileDescriptorSet`), as MCAP has it.
 */
const LENGTH_DELIMITED = 2;
const VARINT = 0;

/** Types and labels of `FieldDescriptorProto`. */
const TYPE = { int32: 5, int64: 3, string: 9, message: 11, bytes: 12 } as const;
const OPTIONAL = 1;

export type CompressedVideo = {
  readonly timeNs: bigint;
  readonly frameId: string;
  /** H.264, Annex B, one picture; a key picture with its parameter sets. */
  readonly data: Uint8Array;
};

export function compressedVideo({ timeNs, frameId, data }: CompressedVideo): Uint8Array {
  const seconds = timeNs / 1_000_000_000n;
  const time = Buffer.concat([varintField(1, seconds), varintField(2, timeNs - seconds * 1_000_000_000n)]);
  return Buffer.concat([bytesField(1, time), textField(2, frameId), bytesField(3, data), textField(4, "h264")]);
}

/** Of {@link compressedVideo}, with what it imports. */
export function compressedVideoSchema(): Uint8Array {
  const timestamp = Buffer.concat([
    textField(1, "google/protobuf/timestamp.proto"),
    textField(2, "google.protobuf"),
    message("Timestamp", [field("seconds", 1, TYPE.int64), field("nanos", 2, TYPE.int32)]),
    textField(12, "proto3"),
  ]);
  const video = Buffer.concat([
    textField(1, "foxglove/CompressedVideo.proto"),
    textField(2, "foxglove"),
    textField(3, "google/protobuf/timestamp.proto"),
    message("CompressedVideo", [
      field("timestamp", 1, TYPE.message, ".google.protobuf.Timestamp"),
      field("frame_id", 2, TYPE.string),
      field("data", 3, TYPE.bytes),
      field("format", 4, TYPE.string),
    ]),
    textField(12, "proto3"),
  ]);
  return Buffer.concat([bytesField(1, timestamp), bytesField(1, video)]);
}

function message(name: string, fields: readonly Uint8Array[]): Buffer {
  return bytesField(4, Buffer.concat([textField(1, name), ...fields.map((each) => bytesField(2, each))]));
}

function field(name: string, number: number, type: number, typeName?: string): Buffer {
  return Buffer.concat([
    textField(1, name),
    varintField(3, BigInt(number)),
    varintField(4, BigInt(OPTIONAL)),
    varintField(5, BigInt(type)),
    ...(typeName === undefined ? [] : [textField(6, typeName)]),
    textField(
      10,
      name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    ),
  ]);
}

function textField(number: number, value: string): Buffer {
  return bytesField(number, Buffer.from(value));
}

function bytesField(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt(number * 8 + LENGTH_DELIMITED)), varint(BigInt(value.length)), value]);
}

function varintField(number: number, value: bigint): Buffer {
  return Buffer.concat([varint(BigInt(number * 8 + VARINT)), varint(value)]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  bytes.push(Number(left));
  return Buffer.from(bytes);
}
