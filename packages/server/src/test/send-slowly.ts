/** For tests: one text message as a slow line brings it, a few bytes at a time, with nothing between them. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { WebSocket } from "ws";

const PIECES = 40;

/** @param ws of a client that compresses nothing; @param text of 126 to 65,535 bytes */
export async function sendSlowly(ws: WebSocket, text: string, durationMs: number): Promise<void> {
  if (ws.readyState === ws.CONNECTING) await once(ws, "open");
  const tcp = (ws as unknown as { _socket: Socket })._socket;
  const payload = Buffer.from(text);
  const header = Buffer.of(0x81, 0x80 | 126, payload.length >> 8, payload.length & 255);
  // A mask of zeros leaves the payload as it is.
  const frame = Buffer.concat([header, Buffer.alloc(4), payload]);
  const size = Math.ceil(frame.length / PIECES);
  for (let at = 0; at < frame.length; at += size) {
    tcp.write(frame.subarray(at, at + size));
    await setTimeout(durationMs / PIECES);
  }
}
