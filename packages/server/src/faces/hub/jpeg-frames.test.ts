/** Single pictures of devices on their way to those who take them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type JpegFrame, JpegFrames } from "./jpeg-frames.ts";

const frame = (source: string, n: number): JpegFrame => ({
  source,
  space: undefined,
  keyframes: true,
  timeNs: BigInt(n),
  jpeg: Buffer.alloc(0),
  width: 1,
  height: 1,
  receivedNs: 0n,
});

/** Takes a picture when it is told to. */
class SlowTaker {
  readonly taken: string[] = [];
  readonly #open: (() => void)[] = [];
  #look = () => {};

  readonly take = ({ source, timeNs }: JpegFrame): Promise<void> => {
    this.taken.push(`${source} ${timeNs}`);
    this.#look();
    return new Promise((resolve) => this.#open.push(resolve));
  };

  /** Lets everything through that it holds, until it has been given so many. */
  async upTo(count: number): Promise<readonly string[]> {
    while (this.taken.length < count) {
      const more = new Promise<void>((resolve) => {
        this.#look = resolve;
      });
      for (const go of this.#open.splice(0)) go();
      await more;
    }
    return this.taken;
  }
}

test("HUB-29 of what a slow outlet has no time for the oldest go, thirty of each source wait, and others lose nothing", async () => {
  const frames = new JpegFrames((error) => assert.fail(String(error)));
  const slow = new SlowTaker();
  const quick: string[] = [];
  frames.onFrame(slow.take);
  frames.onFrame(({ source, timeNs }) => void quick.push(`${source} ${timeNs}`));
  // The first is being taken; of the 40 behind it 10 are too many.
  for (let n = 0; n <= 40; n++) frames.add(frame("a", n));
  for (let n = 0; n <= 30; n++) frames.add(frame("b", n));
  assert.equal(frames.dropped, 10);
  assert.equal(quick.length, 41 + 31);
  const taken = await slow.upTo(31 + 31);
  const of = (source: string) => taken.filter((each) => each.startsWith(source));
  assert.deepEqual(of("a"), ["a 0", ...Array.from({ length: 30 }, (_, i) => `a ${i + 11}`)]);
  assert.deepEqual(
    of("b"),
    Array.from({ length: 31 }, (_, i) => `b ${i}`),
  );
  assert.equal(frames.dropped, 10);
});

test("HUB-29 an outlet that fails on a picture is told of, and gets the next", async () => {
  const failures: unknown[] = [];
  const frames = new JpegFrames((error) => failures.push(error));
  const taken: bigint[] = [];
  const done = new Promise<void>((resolve) => {
    frames.onFrame(({ timeNs }) => {
      taken.push(timeNs);
      if (timeNs === 0n) throw new Error("broken");
      if (timeNs === 1n) return Promise.reject(new Error("broken later"));
      if (timeNs === 2n) resolve();
      return undefined;
    });
  });
  for (let n = 0; n < 3; n++) frames.add(frame("a", n));
  await done;
  assert.deepEqual([taken, failures.length], [[0n, 1n, 2n], 2]);
});
