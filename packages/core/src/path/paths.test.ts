/** Ways of cameras in the log, when the disk or a name is not as one would wish. Rules: docs/spec/keyframes.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventDraft } from "@cairn/protocol";
import { openCore } from "../core.ts";
import { openSegmentFile } from "../log/segment.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { until } from "../test/reconstructed.ts";

function filmed(k: number, sequence: string): EventDraft[] {
  const facts = { mediaType: "image/jpeg", name: "a.jpg", sizeBytes: 1, width: 4, height: 3, orientation: 1 };
  const photo = { image: idOf(k), blob: k.toString(16).padStart(64, "0"), source: "video", capturedNs: String(1 + k) };
  return [
    { type: "image.added", data: { ...facts, ...photo, sequence } },
    {
      type: "camera.posed",
      data: {
        generation: 1,
        image: idOf(k),
        pose: { rotation: [1, 0, 0, 0], translation: [k, 0, 0] },
        intrinsics: { model: "PINHOLE", width: 4, height: 3, params: [4, 4, 2, 1.5] },
        reprojectionPx: 0,
      },
    },
  ];
}

const begin: EventDraft[] = [
  { type: "generation.started", data: { generation: 1 } },
  { type: "generation.published", data: { generation: 1, cameras: 0, points: 0, refined: 0 } },
];

const posesOn = (space: Space, path: string) => {
  const { paths = {} } = space.log.snapshot().state;
  return Object.hasOwn(paths, path) ? (paths[path]?.poses.length ?? 0) : 0;
};

test("a way that the disk did not take is logged with the next pose", async (t) => {
  let refusals = 0;
  let refuse = false;
  const errors: unknown[] = [];
  const core = await openCore({
    dataDir: await temporaryFolder(t),
    onError: (_, error) => errors.push(error),
    log: {
      openSegment: async (path) => {
        const file = await openSegmentFile(path);
        return {
          ...file,
          async write(bytes, offset) {
            if (refuse && Buffer.from(bytes).includes("path.extended")) {
              refusals++;
              throw Object.assign(new Error(), { code: "ENOSPC" });
            }
            await file.write(bytes, offset);
          },
        };
      },
    },
  });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "a" });
  await space.log.append(begin);
  refuse = true;
  await space.log.append(filmed(1, "film"));
  while (refusals === 0 || errors.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(posesOn(space, "film"), 0);
  refuse = false;
  await space.log.append(filmed(2, "film"));
  await until(space, () => posesOn(space, "film") === 2);
});

test("a way may have any name", async (t) => {
  const core = await openCore({ dataDir: await temporaryFolder(t) });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "a" });
  await space.log.append([...begin, ...filmed(1, "__proto__")]);
  await until(space, (state) => Object.hasOwn(state.paths ?? {}, "__proto__"));
  await space.log.append(filmed(2, "__proto__"));
  await until(space, () => posesOn(space, "__proto__") === 2);
});
