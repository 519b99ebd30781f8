/**
 * Packets of the hub face (HUB-11 to HUB-19): one binary message, one packet, big-endian. The header has 21 bytes
 * (u32 total, u8 type, u64 microseconds, u32 data size, u32 flags) or, for parameter sets, the first 13 of them.
 */
import { BadPacket } from "@cairn/protocol/video-packet";
import { startsWithStartCode } from "../h264/nal.ts";

export const HUB_PACKET = { sps: 1, pps: 2, key: 3, frame: 4, configuration: 5 } as const;
export type HubPacketType = (typeof HUB_PACKET)[keyof typeof HUB_PACKET];

export const HUB_FLAG = { key: 1, configuration: 2, end: 4, partial: 8 } as const;

export type HubPacket = {
  readonly type: HubPacketType;
  /** Of the sender's own clock, no epoch; u64. */
  readonly timestampUs: bigint;
  /** {@link HUB_FLAG}; 0 with the short header. */
  readonly flags: number;
  /** Annex B: a view of the message, except for a parameter set that came without start code. */
  readonly data: Uint8Array;
  /** Bytes of the header it came with. */
  readonly form: 13 | 21;
};

const SHORT = 13;
const LONG = 21;

/** @throws {BadPacket} as HUB-16 and HUB-19 say */
export function readHubPacket(bytes: Uint8Array): HubPacket {
  if (bytes.length < SHORT) throw new BadPacket(`${bytes.length} bytes, a header has ${SHORT}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const total = view.getUint32(0);
  if (total !== bytes.length) throw new BadPacket(`it says ${total} bytes and has ${bytes.length}`);
  const type = packetType(bytes[4]!);
  const isPicture = type === HUB_PACKET.key || type === HUB_PACKET.frame;
  if (isPicture && bytes.length < LONG) throw new BadPacket(`${bytes.length} bytes, its header has ${LONG}`);

  const dataSize = bytes.length >= LONG ? view.getUint32(SHORT) : undefined;
  const sizeFits = dataSize === total - LONG;
  const form =
    !isPicture && startsWithStartCode(bytes, SHORT) && !(sizeFits && startsWithStartCode(bytes, LONG)) ? SHORT : LONG;
  if (form === LONG && !sizeFits)
    throw new BadPacket(
      dataSize === undefined ? "no start code after the header" : `data size ${dataSize}, ${total - LONG} bytes follow`,
    );
  const data = bytes.subarray(form);
  return {
    type,
    timestampUs: view.getBigUint64(5),
    flags: form === LONG ? view.getUint32(17) : 0,
    data: lacksStartCode(type, data) ? withStartCode(data) : data,
    form,
  };
}

/** A packet as bytes; parameter sets and configurations get the short header unless `form` says otherwise. */
export function writeHubPacket(packet: Omit<HubPacket, "form" | "flags"> & Partial<HubPacket>): Uint8Array {
  const isPicture = packet.type === HUB_PACKET.key || packet.type === HUB_PACKET.frame;
  const form = packet.form ?? (isPicture ? LONG : SHORT);
  if (isPicture && form === SHORT) throw new RangeError("pictures have the long header");
  const bytes = new Uint8Array(form + packet.data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length);
  view.setUint8(4, packet.type);
  view.setBigUint64(5, packet.timestampUs);
  if (form === LONG) {
    view.setUint32(13, packet.data.length);
    view.setUint32(17, packet.flags ?? (packet.type === HUB_PACKET.key ? HUB_FLAG.key : 0));
  }
  bytes.set(packet.data, form);
  return bytes;
}

function packetType(value: number): HubPacketType {
  if (value < HUB_PACKET.sps || value > HUB_PACKET.configuration) throw new BadPacket(`unknown type ${value}`);
  return value as HubPacketType;
}

/** A configuration that is no parameter set (an `avcC` box, say) is left as it is. */
function lacksStartCode(type: HubPacketType, data: Uint8Array): boolean {
  if (data.length === 0 || startsWithStartCode(data)) return false;
  if (type === HUB_PACKET.sps || type === HUB_PACKET.pps) return true;
  return type === HUB_PACKET.configuration && ((data[0]! & 0x9f) === 7 || (data[0]! & 0x9f) === 8);
}

function withStartCode(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + data.length);
  bytes[3] = 1;
  bytes.set(data, 4);
  return bytes;
}
