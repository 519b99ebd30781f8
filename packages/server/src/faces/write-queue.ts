/**
 * What of a write is still on its way. Node's streams say when all of one is out, and put what waits into one write: for a
 * large message at a slow reader that is minutes. Its handle knows better, and `socket.setTimeout` goes by it, too.
 */
import type { Socket } from "node:net";

type Handle = { readonly writeQueueSize?: number };

/** Bytes that the kernel has not taken of the write at work. `undefined` where Node does not say. */
export function writeQueueBytes(socket: Socket): number | undefined {
  return (socket as unknown as { _handle?: Handle | null })._handle?.writeQueueSize;
}
