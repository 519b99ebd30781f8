/** Packets alone, for pages: nothing here needs Node. */
export { BadPacket } from "./bad-packet.ts";
export { HUB_FLAG, HUB_PACKET, type HubPacket, type HubPacketType, readHubPacket, writeHubPacket } from "./hub.ts";
export {
  readVideoPacket,
  VIDEO_FLAG,
  VIDEO_PACKET_HEADER_BYTES,
  type VideoPacket,
  writeVideoPacket,
} from "./native.ts";
