/** `/ws/video` and `/ws/phone`: producers of video, pictures and samples, who take commands. */
import { DEFAULT_SOURCE, type Producer } from "@cairn/core";
import { CLOSE } from "@cairn/protocol";
import { BadPacket, HUB_PACKET, readHubPacket } from "@cairn/video";
import type { Arrival } from "../../http/upgrades.ts";
import { serveClock } from "../../video/device-clock.ts";
import type { FaceSocket } from "../face-socket.ts";
import { Seldom } from "../seldom.ts";
import type { Device } from "./devices.ts";
import type { HubHouse } from "./house.ts";
import { readFrame } from "./jpeg-frames.ts";
import { refuseFrame, takeDeviceMessage } from "./messages.ts";
import { placesOf } from "./source-name.ts";

const REPLACED = "Replaced by a newer producer";

/** HUB-1. */
export function serveVideo(house: HubHouse, socket: FaceSocket, { query, address }: Arrival): void {
  const places = placesOf(query, socket);
  if (!places) return;
  const producer = house.video.open({
    ...places,
    address,
    onReplaced: () => socket.close(CLOSE.replaced, REPLACED),
  });
  const device: Device = {
    kind: "video",
    socket,
    source: producer.name,
    space: places.space,
    keyframes: places.keyframes,
  };
  const takePacket = packets(house, device, () => producer);
  serveDevice(house, device, query, takePacket, () => producer.end());
}

/** HUB-3: what is no packet is a picture (HUB-26). */
export function servePhone(house: HubHouse, socket: FaceSocket, { query }: Arrival): void {
  const places = placesOf(query, socket);
  if (!places) return;
  const device: Device = {
    kind: "phone",
    socket,
    source: places.source ?? DEFAULT_SOURCE,
    space: places.space,
    keyframes: places.keyframes,
  };
  let producer: Producer | undefined;
  const takePacket = packets(house, device, () => {
    producer ??= house.video.open({
      source: device.source,
      space: device.space,
      keyframes: places.keyframes,
      shared: true,
    });
    return producer;
  });
  const take = (bytes: Buffer) => {
    if (isPacket(bytes)) takePacket(bytes);
    else takeFrame(house, device, bytes);
  };
  serveDevice(house, device, query, take, () => producer?.end());
}

function serveDevice(
  house: HubHouse,
  device: Device,
  query: URLSearchParams,
  take: (bytes: Buffer) => void,
  end: () => void,
): void {
  const { socket, source, space } = device;
  house.devices.add(device);
  house.ownSpace?.add(device);
  if (space !== undefined) house.record(source, space, socket.signal);
  const leave = () => {
    end();
    house.context.core.motion.flush(source); // HUB-59
  };
  if (socket.signal.aborted) leave();
  else socket.signal.addEventListener("abort", leave, { once: true });
  const isClock = serveClock(house.context.core, socket, source, query);
  socket.listen((fields, data) => {
    // What takes its time is waited for: messages are taken one after the other.
    if (!isClock(fields)) return takeDeviceMessage(house, device, { fields, text: data.toString() });
  }, take);
}

/** HUB-19: a packet that cannot be read reaches nobody; its sender is told, at most once a second. */
function packets(house: HubHouse, { socket }: Device, producer: () => Producer): (bytes: Buffer) => void {
  const seldom = new Seldom();
  return (bytes) => {
    const arrivedMs = performance.now();
    try {
      const { type, timestampUs, flags, data } = readHubPacket(bytes);
      producer().publish({ type, timeNs: timestampUs * 1000n, flags, data, hub: bytes, arrivedMs });
    } catch (error) {
      if (!(error instanceof BadPacket)) throw error;
      house.context.videoMetrics.rejected.inc();
      seldom.say(() => socket.error(error.message));
    }
  };
}

function isPacket(bytes: Buffer): boolean {
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== bytes.length) return false;
  return bytes[4]! >= HUB_PACKET.sps && bytes[4]! <= HUB_PACKET.configuration;
}

function takeFrame({ frames, context }: HubHouse, device: Device, bytes: Buffer): void {
  try {
    const { source, space, keyframes } = device;
    frames.add({ source, space, keyframes, ...readFrame(bytes), receivedNs: context.core.clock.nowNs() });
  } catch (error) {
    refuseFrame(device, error);
  }
}
