import assert from "node:assert/strict";
import { test } from "node:test";
import { openCore } from "../core.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { openDesigns } from "./designs.ts";

const TRIANGLE = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n";
const stl = (facets: number) => Buffer.from(`solid\n${TRIANGLE.repeat(facets)}endsolid\n`);

test("DSG-1 DSG-2 DSG-3 a content is one revision, measured once; removal and restart keep the count", async (t) => {
  const dataDir = await temporaryFolder(t);
  let core = await openCore({ dataDir });
  let designs = openDesigns(core.blobs);
  afterwards(t, async () => {
    await designs.close();
    await core.close();
  });
  let space = await core.spaces.create({ id: "s" });
  const named = { collection: "c", design: "a/ü" };
  const file = { ...named, format: "stl", fileNs: "5" } as const;
  // The same twice, and two contents of one name, in one batch.
  await designs.publish(space, [
    { ...file, bytes: stl(1), present: true },
    { ...file, bytes: stl(1) },
    { ...file, bytes: stl(2) },
    { ...file, design: "b", bytes: Buffer.from("no mesh") },
  ]);
  await designs.remove(space, [named, { collection: "c", design: "never" }]);
  await Promise.all([1, 1].map(() => designs.publish(space, [{ ...file, bytes: stl(2) }])));
  const events = (await space.log.read(0, 100)).filter(({ type }) => type.startsWith("design."));
  assert.deepEqual(
    events.map((event) =>
      event.type === "design.published"
        ? [event.data.design, event.data.revision, event.data.change, event.data.mesh?.faces ?? event.data.problem]
        : event.type,
    ),
    [
      ["a/ü", 1, "present", 1],
      ["a/ü", 2, "overwritten", 2],
      ["b", 1, "added", "not an STL file"],
      "design.removed",
      ["a/ü", 3, "added", 2],
    ],
  );
  const [first] = events;
  assert.ok(first?.type === "design.published" && first.data.mesh?.area === 0.5 && !first.data.mesh.watertight);
  assert.deepEqual(Buffer.from(await core.blobs.get(first.data.blob)), stl(1));
  assert.equal((await core.collect(0)).removed, 0);

  await designs.close();
  await core.close();
  core = await openCore({ dataDir });
  designs = openDesigns(core.blobs);
  space = await core.spaces.open("s");
  await designs.publish(space, [{ ...file, bytes: stl(2) }]);
  const state = space.log.snapshot().state.designs!;
  assert.deepEqual([state["c/a/ü"]!.revision, Object.keys(state).length], [3, 2]);
});
