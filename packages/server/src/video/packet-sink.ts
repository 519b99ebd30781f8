/** A socket as a consumer of video: takes packets while it has room, in the layout that its door speaks. */
import type { StreamPacket, VideoSink } from "@cairn/core";
import type { FaceSocket } from "../faces/face-socket.ts";
import { type Message, wholeBinaryMessage } from "../live/frames.ts";

/** In the socket at most about so much waits; the rest waits where it can be dropped up to a key frame. */
const IN_SOCKET_BYTES = 256 * 1024;

type Framed = { readonly message: Message; readonly sizeBytes: number };

/** How packets look at a door. Each is framed once for all sockets that speak this. */
export class PacketLayout {
  readonly #bytesOf: (packet: StreamPacket) => Uint8Array;
  /** Consumers get a packet one right after the other. */
  #last: { readonly packet: StreamPacket; readonly framed: Framed } | undefined;

  /** @param bytesOf the message; none: nothing is sent */
  constructor(bytesOf: (packet: StreamPacket) => Uint8Array) {
    this.#bytesOf = bytesOf;
  }

  framed(packet: StreamPacket): Framed {
    if (this.#last?.packet === packet) return this.#last.framed;
    const bytes = this.#bytesOf(packet);
    const framed = { message: wholeBinaryMessage(bytes), sizeBytes: bytes.length };
    this.#last = { packet, framed };
    return framed;
  }
}

export const LAYOUTS = {
  native: new PacketLayout((packet) => packet.native),
  hub: new PacketLayout((packet) => packet.hub),
  h264: new PacketLayout((packet) => packet.data),
} as const;

export type PacketListeners = {
  /** What comes next is of this source. */
  onSource?(name: string): void;
  /** What comes next goes into this space. */
  onSpace?(space: string | undefined): void;
  /** Before it is sent. */
  onPacket?(packet: StreamPacket): void;
};

/**
 * @param onSent told how long a live packet took from its arrival, seconds
 */
export function packetSink(
  socket: FaceSocket,
  layout: PacketLayout,
  onSent: (seconds: number) => void,
  { onSource, onSpace, onPacket = () => {} }: PacketListeners = {},
): VideoSink {
  let joinedMs = 0;
  let latencyMs: number | undefined;
  return {
    get ready() {
      return socket.waitingBytes < IN_SOCKET_BYTES;
    },
    get waitingBytes() {
      return socket.waitingBytes;
    },
    get latencyMs() {
      return latencyMs;
    },
    onSource(name) {
      joinedMs = performance.now();
      onSource?.(name);
    },
    onSpace: (space) => onSpace?.(space),
    take(packet) {
      const { message, sizeBytes } = layout.framed(packet);
      if (sizeBytes === 0) return 0;
      onPacket(packet);
      socket.sendFramed(message);
      // What lay in the group of pictures says nothing of how fast this is.
      if (packet.arrivedMs >= joinedMs) {
        const tookMs = performance.now() - packet.arrivedMs;
        latencyMs = latencyMs === undefined ? tookMs : latencyMs + (tookMs - latencyMs) / 16;
        onSent(tookMs / 1000);
      }
      return sizeBytes;
    },
  };
}
