/** A server with the real engine that is killed: what the engine found out it does not find out again. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { CairnEvent, PosedCamera } from "@cairn/protocol";
import { smallPhoto } from "@cairn/sample/small-photo";
import { eventually } from "./eventually.ts";
import { startProcess } from "./start-process.ts";

const PHOTOS = ["07.jpg", "08.jpg", "09.jpg", "10.jpg"];

test("REC-14 REC-6 killed and started again, the engine extracts, matches and seeks nothing twice", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-engine-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const isBegun = (name: string) => name.endsWith(".tmp");
  const found = () => readdir(join(dataDir, "engine"));
  const kept = async () => (await found()).filter((name) => !isBegun(name)).sort();
  let server = await startProcess(dataDir, { reconstruct: "fast" });
  t.after(() => server.child.kill("SIGKILL"));
  const post = async (path: string, body: string | Buffer) => {
    const type = typeof body === "string" ? "application/json" : "application/octet-stream";
    const response = await fetch(server.url + path, { method: "POST", headers: { "content-type": type }, body });
    assert.ok(response.ok, await response.clone().text());
    return response;
  };
  const upload = async (name: string) => post("/v1/spaces/place/images", await smallPhoto(name));
  const refined = (photos: number) => (event: CairnEvent) =>
    event.type === "generation.published" && event.data.refined === photos;
  const cameras = async (): Promise<PosedCamera[]> => {
    const { state } = (await (await fetch(`${server.url}/v1/spaces/place/snapshot`)).json()) as {
      state: { generation: number; generations: Record<number, { cameras: Record<string, PosedCamera> }> };
    };
    return Object.values(state.generations[state.generation]!.cameras);
  };

  await post("/v1/spaces", JSON.stringify({ id: "place" }));
  for (const name of PHOTOS.slice(0, 3)) await upload(name);
  await eventually(server.url, refined(3));
  // Features of 3, matches of 3 pairs, and depth: of each photo live and in the rebuild at least.
  // Nobody waits for what is kept: the last of it may still be on its way to the disk.
  while ((await found()).some(isBegun)) await setTimeout(20);
  const before = await kept();
  assert.ok(before.length >= 3 + 3 + 3 + 3, `${before.length} things kept`);
  const shown = await cameras();
  server.child.kill("SIGKILL");
  await once(server.child, "exit");

  server = await startProcess(dataDir, { reconstruct: "fast" });
  const { operation } = (await (
    await post("/v1/spaces/place/operations", JSON.stringify({ kind: "rebuild" }))
  ).json()) as { operation: string };
  const done = await eventually(
    server.url,
    (event) => event.type === "operation.completed" && event.data.operation === operation,
  );
  assert.ok(done.type === "operation.completed" && Number(done.data.result?.points) > 20_000);
  assert.deepEqual(await kept(), before, "nothing was found out anew");
  const again = await cameras();
  assert.equal(again.length, shown.length);

  await upload(PHOTOS[3]!);
  await eventually(server.url, refined(4));
  const after = await kept();
  assert.ok(before.every((name) => after.includes(name)));
  // Features of one, matches with three, its depth and that of another live, and of four in the rebuild.
  assert.ok(after.length - before.length <= 1 + 3 + 2 + 4, `${after.length - before.length} things more`);
});
