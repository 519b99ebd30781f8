/**
 * The answer to a request that is refused in the middle of its body. A connection that is closed while bytes wait unread is
 * reset, and the reset overtakes the answer: many clients read nothing before they have sent all. So the answer goes at
 * once, and what still comes is let fall for a moment before the connection ends. GEN-32.
 */
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";

const LONGEST_MS = 5000;
const MOST_BYTES = 64 * 2 ** 20;

/** Ends when the sender has sent all or has gone, at the latest after a moment. */
export function answerEarly(request: IncomingMessage, text: string): Readable {
  const pieces = async function* () {
    yield Buffer.from(text);
    await letFall(request);
  };
  return Readable.from(pieces());
}

function letFall(body: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (body.complete || body.destroyed) return resolve();
    let bytes = 0;
    const drop = (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > MOST_BYTES) end();
    };
    const end = () => {
      clearTimeout(late);
      body.off("data", drop).off("end", end).off("close", end).pause();
      resolve();
    };
    const late = setTimeout(end, LONGEST_MS).unref();
    body.unpipe();
    body.on("data", drop).once("end", end).once("close", end).resume();
  });
}

/** Bytes of a body for a reader that may refuse them in their middle: the connection outlives it, and brings the answer. */
export function readingBody(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body;
}
