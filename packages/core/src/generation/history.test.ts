/** Earlier generations in logs that are longer than what one read gives. Rules: docs/spec/generations.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventDraft } from "@cairn/protocol";
import { openSpaceLog } from "../log/open-space-log.ts";
import { afterwards, idOf, renamed, temporaryFolder } from "../test/fixtures.ts";
import { readGeneration } from "./history.ts";

function generationOf(generation: number, cameras: number): EventDraft[] {
  const posed = Array.from({ length: cameras }, (_, k): EventDraft => {
    const pose = { rotation: [1, 0, 0, 0] as const, translation: [k, 0, 0] as const };
    const intrinsics = { model: "PINHOLE" as const, width: 4, height: 3, params: [4, 4, 2, 1.5] };
    const data = { generation, image: idOf(k), pose, intrinsics, reprojectionPx: 0 };
    return { type: "camera.posed", data: structuredClone(data) as never };
  });
  return [
    { type: "generation.started", data: { generation } },
    ...posed,
    { type: "generation.published", data: { generation, cameras, points: 0, refined: cameras } },
  ];
}

test("GENR-3 a generation is found wherever a read of the log ends: behind, within and before what led to it", async (t) => {
  const log = await openSpaceLog(await temporaryFolder(t), { segmentBytes: 2 ** 16 });
  afterwards(t, () => log.close());
  const file = { name: "a.jpg", blob: "0".repeat(64), mediaType: "image/jpeg", sizeBytes: 1, width: 4, height: 3 };
  const photo = (k: number): EventDraft => {
    return { type: "image.added", data: { image: idOf(k), ...file, orientation: 1, source: "test" } };
  };
  await log.append(Array.from({ length: 20 }, (_, k) => photo(k)));
  for (let generation = 1; generation <= 5; generation++) {
    await log.append(generationOf(generation, 20));
    await log.append(Array.from({ length: 600 }, (_, i) => renamed(`${generation} ${i}`)));
  }
  for (let generation = 1; generation <= 5; generation++) {
    const { cameras } = await readGeneration(log, generation);
    assert.equal(cameras.size, 20, `generation ${generation}`);
  }
});
