import assert from "node:assert/strict";
import { test } from "node:test";
import type { PathState, Pose, Vec3 } from "@cairn/protocol";
import { pathLines } from "./path-lines.ts";

test("KEY-9 a way is drawn through the cameras on the screen, not over a pause, nor where a camera is not there", () => {
  const pose: Pose = { rotation: [1, 0, 0, 0], translation: [9, 9, 9] };
  const S = 1_000_000_000;
  const path: PathState = {
    path: "stream:cam:1",
    generation: 2,
    poses: [0, 1, 2, 3, 20, 21].map((second, i) => ({ image: `${i}`, timeNs: String(second * S), pose })),
  };
  const at = (i: number): Vec3 => [i, 0, 0];
  // The third has no camera in the generation that is still shown.
  const centres = new Map([0, 1, 3, 4, 5].map((i) => [`${i}`, at(i)]));
  const { lines, ends } = pathLines([path], centres);
  assert.deepEqual(lines, [
    [at(0), at(1)],
    [at(1), at(3)],
    [at(4), at(5)],
  ]);
  assert.deepEqual(ends, [{ path: "stream:cam:1", image: "5", at: at(5) }]);
  assert.deepEqual(pathLines([path], new Map()), { lines: [], ends: [] });
});
