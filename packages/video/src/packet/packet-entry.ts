/** Packets of the hub alone, for pages: nothing here needs Node. */
export { BadPacket } from "@cairn/protocol/video-packet";
export { HUB_FLAG, HUB_PACKET, type HubPacket, type HubPacketType, readHubPacket, writeHubPacket } from "./hub.ts";
