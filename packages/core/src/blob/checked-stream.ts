/** The bytes of a stream, the last piece only once all of them have the digest: who gets them all got the right ones. */
import { createHash } from "node:crypto";
import { Transform } from "node:stream";
import type { Digest } from "@cairn/protocol";

/** @param refuse told when they have another digest; what it throws ends the stream */
export function checkedStream(digest: Digest, refuse: () => Promise<never>): Transform {
  const hash = createHash("sha256");
  let last: Buffer | undefined;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      const before = last;
      last = piece;
      done(null, before);
    },
    flush(done) {
      if (hash.digest("hex") === digest) done(null, last);
      else refuse().catch((error: Error) => done(error));
    },
  });
}
