/**
 * Cairn's own video packet, for `/v1/video/{source}` and wherever pictures cross a wire: one binary message, one
 * packet, little-endian. A header of 20 bytes, then H.264 with start codes:
 *
 * | offset | size | field |
 * | --- | --- | --- |
 * | 0 | u8 | version, 1 |
 * | 1 | u8 | flags: 1 key picture, 2 parameter sets only, 4 end of stream, 8 more of this picture follows |
 * | 2 | u16 | 0 |
 * | 4 | u32 | number of the packet in its stream, one more each time, wraps: a gap is a loss |
 * | 8 | u64 | nanoseconds of the sender's clock, or of the server's once the two are compared |
 * | 16 | u32 | data size = length of the message − 20 |
 *
 * Unlike the hub's it numbers packets, which is the only way to know of a loss before it is decoded and shown.
 */
export const VIDEO_FLAG = { key: 1, configuration: 2, end: 4, partial: 8 } as const;
const VIDEO_PACKET_HEADER_BYTES = 20;

export type VideoPacket = {
  /** {@link VIDEO_FLAG} */
  readonly flags: number;
  /** u32, wraps. */
  readonly number: number;
  readonly timeNs: bigint;
  /** Annex B; a view of the message. */
  readonly data: Uint8Array;
};

/** @throws {BadPacket} */
export function readVideoPacket(bytes: Uint8Array): VideoPacket {
  if (bytes.length < VIDEO_PACKET_HEADER_BYTES)
    throw new BadPacket(`${bytes.length} bytes, a header has ${VIDEO_PACKET_HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== 1) throw new BadPacket(`unknown version ${bytes[0]}`);
  if (view.getUint16(2, true) !== 0) throw new BadPacket("bytes 2 and 3 are not 0");
  const dataSize = view.getUint32(16, true);
  const following = bytes.length - VIDEO_PACKET_HEADER_BYTES;
  if (dataSize !== following) throw new BadPacket(`data size ${dataSize}, ${following} bytes follow`);
  return {
    flags: bytes[1]!,
    number: view.getUint32(4, true),
    timeNs: view.getBigUint64(8, true),
    data: bytes.subarray(VIDEO_PACKET_HEADER_BYTES),
  };
}

export function writeVideoPacket(packet: VideoPacket): Uint8Array {
  const bytes = new Uint8Array(VIDEO_PACKET_HEADER_BYTES + packet.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, packet.flags);
  view.setUint32(4, packet.number >>> 0, true);
  view.setBigUint64(8, packet.timeNs, true);
  view.setUint32(16, packet.data.length, true);
  bytes.set(packet.data, VIDEO_PACKET_HEADER_BYTES);
  return bytes;
}

/** A packet that cannot be read. The door that got it turns the cause into its own form of error. */
export class BadPacket extends RangeError {
  override readonly name = "BadPacket";
  /** What is wrong, in a few words for the sender: `it says 27 bytes and has 25`. */
  override readonly cause: string;

  constructor(cause: string) {
    super(`Invalid video packet: ${cause}`);
    this.cause = cause;
  }
}
