/** What the library does with a design that the log will never take. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openCore, openDesigns } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import type { FastifyBaseLogger } from "fastify";
import { meshFolder, place, sizedCube } from "../../test/mesh-fixtures.ts";
import { Library } from "./library.ts";

test("MSH-9 a file that the log refuses is set aside and said; those with it are announced", async (t) => {
  const dir = await meshFolder(t);
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-library-"));
  const core = await openCore({ dataDir });
  const designs = openDesigns(core.blobs);
  let refuses = true;
  const picky: typeof designs = {
    ...designs,
    publish: async (space, files) => {
      if (refuses && files.some(({ design }) => design === "bad")) throw new CairnError("request.invalid");
      return designs.publish(space, files);
    },
  };
  const logged: string[] = [];
  const log = { error: (_: object, said: string) => logged.push(said), warn() {} } as unknown as FastifyBaseLogger;
  const folders = [{ name: "current", dir, formats: ["stl"] as const }];
  for (const [i, name] of ["a", "bad", "c"].entries()) await place(dir, `${name}.stl`, sizedCube(i + 1));
  const library = new Library({ spaces: core.spaces, designs: picky, folders, log, named: false });
  t.after(async () => {
    await library.close();
    await designs.close();
    await core.close();
    await rm(dataDir, { recursive: true });
  });
  await library.start();
  const names = () => library.all(new Set(["current"])).map(({ design }) => design);
  assert.deepEqual(names().sort(), ["a", "c"]);
  assert.deepEqual(library.problems, ["the mesh `bad` of `current` cannot be announced"]);
  assert.deepEqual(logged, ["a mesh cannot be announced"]);

  refuses = false;
  await place(dir, "bad.stl", sizedCube(9));
  const untilMs = performance.now() + 120_000;
  while (names().length < 3 || library.problems.length > 0) {
    assert.ok(performance.now() < untilMs, "announced once it has changed");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
