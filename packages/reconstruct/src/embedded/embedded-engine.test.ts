/** What the caller of the embedded engine holds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineCache, Photo } from "../engine.ts";
import { openEmbeddedEngine } from "./embedded-engine.ts";

function greyPhoto(sidePx: number): Photo {
  const size = { widthPx: sidePx, heightPx: sidePx, fullWidthPx: sidePx, fullHeightPx: sidePx };
  return { image: "grey", name: "grey", rgb: new Uint8Array(3 * sidePx ** 2).fill(120), ...size, digest: "grey" };
}

test("a photo that is cancelled while its features are looked up is not begun", async () => {
  const controller = new AbortController();
  const kept: string[] = [];
  const cache: EngineCache = {
    async get() {
      controller.abort();
      return undefined;
    },
    async put(key) {
      kept.push(key);
    },
  };
  const engine = await openEmbeddedEngine({ preset: "sparse", threads: 1, cache });
  try {
    const photo = greyPhoto(64);
    await assert.rejects(engine.add(photo, { signal: controller.signal }), { code: "operation.cancelled" });
    assert.deepEqual(kept, []);
    const { verdicts } = await engine.add(photo);
    assert.deepEqual(
      verdicts.map(({ image }) => image),
      [photo.image],
    );
  } finally {
    await engine.close();
  }
});
