/** A socket as a consumer of video: takes packets while it has room, in the layout that its door speaks. */
import type { StreamPacket, VideoSink } from "@cairn/core";
import type { FaceSocket } from "../faces/face-socket.ts";

/** In the socket at most about so much waits; the rest waits where it can be dropped up to a key frame. */
const IN_SOCKET_BYTES = 256 * 1024;

export type PacketListeners = {
  /** What comes next is of this source. */
  onSource?(name: string): void;
  /** Before it is sent. */
  onPacket?(packet: StreamPacket): void;
};

/**
 * @param layout bytes of the message; none: nothing is sent
 * @param onSent told how long a live packet took from its arrival, seconds
 */
export function packetSink(
  socket: FaceSocket,
  layout: (packet: StreamPacket) => Uint8Array,
  onSent: (seconds: number) => void,
  { onSource, onPacket = () => {} }: PacketListeners = {},
): VideoSink {
  let joinedMs = 0;
  return {
    get ready() {
      return socket.waitingBytes < IN_SOCKET_BYTES;
    },
    get waitingBytes() {
      return socket.waitingBytes;
    },
    onSource(name) {
      joinedMs = performance.now();
      onSource?.(name);
    },
    take(packet) {
      const bytes = layout(packet);
      if (bytes.length === 0) return 0;
      onPacket(packet);
      socket.sendBytes(bytes);
      // What lay in the group of pictures says nothing of how fast this is.
      if (packet.arrivedMs >= joinedMs) onSent((performance.now() - packet.arrivedMs) / 1000);
      return bytes.length;
    },
  };
}
