/** A large thing that moves before the camera: whatever comes of it, no step vouches for a model that follows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import type { PosedCamera } from "@cairn/protocol";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

test("MAP-21 no step of a young scene vouches for cameras that follow what moves", async () => {
  const { kernels, photos, truth } = syntheticPhotos(arc(6, 0.8), { printed: 900, stripStepPx: 85 });
  const core = new EngineCore(kernels, 1);
  const cameras = new Map<string, PosedCamera>();
  for (const photo of photos) {
    const { step } = await core.add(photo, undefined, FREE);
    for (const camera of step.cameras) cameras.set(camera.image, camera);
    const shown = [...cameras.values()];
    if (shown.length < 4) continue;
    const source = shown.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]);
    const target = shown.flatMap(({ image }) => [...truth[Number(image.slice("photo-".length))].eye]);
    const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
    const distances = new Float64Array(shown.length);
    alignmentDistances(alignPoints(from, to)!, from, to, distances);
    const worst = Math.max(...distances);
    assert.ok(worst < 0.2 || (step.doubts ?? []).length > 0, `${photo.image} is vouched for, off by ${worst} of 8`);
  }
});
