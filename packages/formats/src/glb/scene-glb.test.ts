import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { assertClean, join, randomOf, sourceOf, srgbLinear, throughThree } from "../test/glb.ts";
import { srgbOf } from "./linear-color.ts";
import { type GlbPoints, openGlb } from "./read-glb.ts";
import { encodeSceneGlb, type ScenePoints } from "./scene-glb.ts";

describe("a whole cloud as GLB", () => {
  const far = 6_000_000.125;
  /** Two primitives: the first is full with the piece that fills it. */
  const sizes = [700_000, 600_000, 10, 1, 0];
  async function* scene(offset = far): AsyncGenerator<ScenePoints> {
    const random = randomOf(9);
    for (const count of sizes) {
      yield {
        positions: Float64Array.from({ length: count * 3 }, (_, i) => (i % 3 === 1 ? offset : 0) + random() * 10),
        colors: Uint8Array.from({ length: count * 3 }, () => Math.floor(random() * 256)),
      };
    }
  }

  test("TIL-5 the validator finds nothing; far coordinates and colours come back; it is written in pieces", async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of encodeSceneGlb(() => scene())) pieces.push(piece);
    assert.ok(pieces.every(({ length }) => length < 12 * 2 ** 20));
    const glb = new Uint8Array(Buffer.concat(pieces));
    await assertClean(glb);
    const reading = (await openGlb(sourceOf(glb))).chunks();
    let [read, at, most, off] = [(await reading.next()).value as GlbPoints, 0, 0, 0];
    for await (const { positions, colors } of scene()) {
      for (let i = 0; i < positions.length; i += 3, at += 3) {
        if (at === read.positions.length) [read, at] = [(await reading.next()).value as GlbPoints, 0];
        for (let axis = 0; axis < 3; axis++) {
          most = Math.max(most, Math.abs(read.positions[at + axis]! - positions[i + axis]!));
          off = Math.max(off, Math.abs(srgbLinear(colors[i + axis]!) - srgbLinear(read.colors[at + axis]!)));
        }
      }
    }
    assert.ok((await reading.next()).done);
    assert.ok(most < 1e-6, `positions are off by ${most}`);
    assert.ok(off < 2.3 / 255, `colours are off by ${off}`);
  });

  test("TIL-5 three reads it, where the points are", async () => {
    async function* few() {
      yield { positions: Float64Array.of(1, 2, 3, -4, 5, 6), colors: Uint8Array.of(255, 0, 0, 0, 0, 255) };
    }
    const { places, linear } = await throughThree(await join(encodeSceneGlb(few)));
    assert.deepEqual(places, [
      [1, 2, 3],
      [-4, 5, 6],
    ]);
    assert.deepEqual(linear, [
      [1, 0, 0],
      [0, 0, 1],
    ]);
  });

  test("TIL-5 nothing to write and too much to write are said before a byte", async () => {
    const refused = (code: string) => (error: unknown) => error instanceof CairnError && error.code === code;
    async function* none(): AsyncGenerator<ScenePoints> {}
    await assert.rejects(join(encodeSceneGlb(none)), refused("export.empty"));
    const piece = { positions: new Float64Array(3 * 2 ** 20), colors: new Uint8Array(0) };
    async function* endless(): AsyncGenerator<ScenePoints> {
      for (;;) yield piece;
    }
    await assert.rejects(join(encodeSceneGlb(endless)), refused("export.too_large"));
  });

  test("TIL-5 bytes of linear light come back as the sRGB they were, where a byte can say it", () => {
    for (let level = 64; level < 256; level++) assert.ok(Math.abs(srgbOf(srgbLinear(level)) - level) < 1);
  });
});
