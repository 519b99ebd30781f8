/** Text cut anywhere comes back as the bytes that it has when it is whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfPiece, joinHalves } from "./text-halves.ts";

async function joined(pieces: readonly Buffer[]): Promise<Buffer> {
  const found: Buffer[] = [];
  async function* lent() {
    const shared = Buffer.alloc(64);
    for (const piece of pieces) yield shared.subarray(0, piece.copy(shared));
  }
  for await (const bytes of joinHalves(lent())) found.push(Buffer.from(bytes));
  return Buffer.concat(found);
}

test("HUB-62 text cut at any two places, and read in pieces of any size, is the same bytes again", async () => {
  const text = "a😀é가\ud7ff힣🚀🚀";
  const whole = Buffer.from(text);
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second++) {
      const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)].map(bytesOfPiece);
      assert.deepEqual(await joined(pieces), whole, `${first} ${second}`);
      const bytes = Buffer.concat(pieces);
      for (const size of [1, 2, 3, 4, 5, 7]) {
        const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        assert.deepEqual(await joined(parts), whole, `${first} ${second} by ${size}`);
      }
    }
  }
});

test("HUB-62 a half that never meets its other one is the sign for what is no letter", async () => {
  const [high, low] = ["\ud83d", "\ude00"];
  for (const pieces of [[low, high], [high], [low], [high, "a"], [high, high, low], [`a${high}b`], [low, low]]) {
    assert.equal((await joined(pieces.map(bytesOfPiece))).toString(), Buffer.from(pieces.join("")).toString());
  }
});
