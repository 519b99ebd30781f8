/** What happens in a folder of designs, and what is told of it. */
import assert from "node:assert/strict";
import { appendFile, mkdir, readdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { SpaceSummary } from "@cairn/protocol";
import {
  json,
  MeshUser,
  meshFolder,
  meshServer,
  place,
  type Row,
  sizedCube,
  TETRAHEDRON,
  textStl,
  watchedServer,
  watcher,
} from "../../test/mesh-fixtures.ts";
import { testServer } from "../../test/test-server.ts";

describe("a folder of designs", () => {
  test("MSH-2 MSH-6 files that differ in their ending's case only are two designs, also after a restart", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    await place(dir, "part.STL", sizedCube(1));
    await user.about("part");
    await place(dir, "part.stl", sizedCube(2));
    await user.about("part.stl");
    user.ws.close();
    await server.restart();
    const { meshes } = await json<{ meshes: Row[] }>(server, "/api/meshes/list");
    const volumes = await Promise.all(
      meshes.map(async ({ design_id, url }) => [
        design_id,
        (await json<{ volume: number }>(server, `${String(url)}/metadata`)).volume,
      ]),
    );
    assert.deepEqual(
      new Map(volumes as [string, number][]),
      new Map([
        ["part", 1],
        ["part.stl", 8],
      ]),
    );
    const late = new MeshUser(server.port, "?since=0");
    await late.of("replay_complete");
    assert.equal(late.heard.filter(({ event }) => event === "new_mesh").length, 2, "each told once");
    await rm(join(dir, "part.STL"));
    assert.equal((await late.of("mesh_removed"))[0]?.design_id, "part");
    assert.equal((await server.send("GET", "/api/mesh/part.stl")).status, 200);
    late.ws.close();
  });

  test("MSH-6 MSH-8 MSH-14 overwritten, only touched, deleted and made again; older revisions stay", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    const first = sizedCube(1);
    await place(dir, "a.stl", first);
    await user.about("a");
    await place(dir, "a.stl", first); // the same content again: nothing
    await utimes(join(dir, "a.stl"), 1_700_000_000, 1_700_000_000);
    await place(dir, "a.stl", sizedCube(2));
    const over = await user.about("a", "new_mesh", 2);
    assert.deepEqual([over.change, over.revision], ["overwritten", 2]);
    await rm(join(dir, "a.stl"));
    const removed = await user.about("a", "mesh_removed");
    assert.ok(Number(removed.seq) > Number(over.seq) && Math.abs(Number(removed.removed_at) - Date.now() / 1000) < 60);
    assert.equal((await server.send("GET", "/api/mesh/a")).status, 404);
    await place(dir, "a.stl", sizedCube(2));
    const again = await user.about("a", "new_mesh", 3);
    assert.deepEqual([again.change, again.revision], ["added", 3]);
    const old = await server.send("GET", "/api/mesh/a?revision=1");
    assert.deepEqual(Buffer.from(await old.arrayBuffer()), first);
    assert.deepEqual(
      [
        (await json<Row>(server, "/api/mesh/a/metadata?revision=2")).volume,
        (await json<Row>(server, "/api/mesh/a/metadata")).revisions,
      ],
      [8, 3],
    );
    assert.equal((await server.send("GET", "/api/mesh/a?revision=4")).status, 404);

    // MSH-8: while nobody watches.
    await place(dir, "b.stl", sizedCube(3));
    await user.about("b");
    await place(dir, "c.stl", sizedCube(3));
    const { seq } = await user.about("c");
    user.ws.close();
    await server.restart();
    await server.close();
    await rm(join(dir, "b.stl"));
    await place(dir, "a.stl", sizedCube(5));
    await place(dir, "d.stl", sizedCube(6));
    await server.restart();
    const later = await watcher(server, `?since=${seq}`);
    await later.of("replay_complete");
    assert.deepEqual(
      later.heard
        .slice(1, -1)
        .map((each) => [each.event, each.design_id, each.change, each.revision])
        .sort(),
      [
        ["mesh_removed", "b", undefined, undefined],
        ["new_mesh", "a", "overwritten", 4],
        ["new_mesh", "d", "added", 1],
      ],
    );
    later.ws.close();
  });

  test("MSH-2 MSH-31 MSH-37 MSH-38 only designs count; metadata beside one is its answer", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    const elsewhere = await meshFolder(t);
    await writeFile(join(elsewhere, "secret.stl"), sizedCube(1));
    await symlink(join(elsewhere, "secret.stl"), join(dir, "link.stl"));
    await mkdir(join(dir, "folder.stl"));
    await writeFile(join(dir, ".hidden.stl"), sizedCube(1));
    await writeFile(join(dir, "notes.txt"), "no");
    await writeFile(join(dir, "empty.stl"), "");
    await place(dir, "text.stl", "this is no mesh");
    const told = await user.about("text");
    assert.deepEqual([told.vertex_count, told.face_count], [null, null]);
    assert.equal(await (await server.send("GET", "/api/mesh/text")).text(), "this is no mesh");
    const refused = await server.send("GET", "/api/mesh/text/metadata");
    assert.deepEqual(
      [refused.status, await refused.json()],
      [422, { detail: "Failed to load mesh metadata: not an STL file" }],
    );
    await writeFile(join(dir, "text_metadata.json"), '{"mine": 1,  "volume": "x"}');
    assert.equal(await (await server.send("GET", "/api/mesh/text/metadata")).text(), '{"mine": 1,  "volume": "x"}');
    await writeFile(join(dir, "text_metadata.json"), "[1]");
    assert.equal((await server.send("GET", "/api/mesh/text/metadata")).status, 422);
    const gone = join(dir, "gone.stl");
    await writeFile(gone, "solid");
    await rm(gone);
    await place(dir, "last.stl", textStl(TETRAHEDRON));
    assert.deepEqual([(await user.about("last")).vertex_count], [4]);
    const { volume, surface_area, is_watertight } = await json<Row>(server, "/api/mesh/last/metadata");
    assert.ok(
      Math.abs(Number(volume) - 1 / 6) < 1e-12 && Math.abs(Number(surface_area) - 2.366025) < 1e-6 && is_watertight,
    );
    assert.deepEqual(
      user.heard.slice(1).map((each) => each.design_id),
      ["text", "last"],
    );
  });

  test("MSH-3 MSH-4 MSH-36 a file that is being written is told once, when it is whole", async (t) => {
    const { dir, user } = await watchedServer(t);
    const bytes = sizedCube(1);
    const toldOf = (design: string) => user.heard.filter(({ design_id }) => design_id === design);
    // What is tested is that nothing is told while somebody writes; a machine that paused has made a file that rests.
    for (let attempt = 1; ; attempt++) {
      const design = `slow${attempt}`;
      const path = join(dir, `${design}.stl`);
      const beganMs = performance.now();
      let pauseMs = 0;
      await writeFile(path, bytes.subarray(0, 300));
      for (let at = 300, wroteMs = beganMs; at < bytes.length; at += 100) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const early = toldOf(design);
        await appendFile(path, bytes.subarray(at, at + 100));
        pauseMs = Math.max(pauseMs, performance.now() - wroteMs);
        wroteMs = performance.now();
        if (pauseMs < 1500) assert.deepEqual(early, []);
      }
      const told = await user.about(design);
      if (pauseMs >= 1500) continue;
      assert.equal(told.file_size, bytes.length);
      assert.ok(performance.now() - beganMs >= 1000);
      break;
    }
    // Not an STL at all: after two seconds without a change.
    const oddMs = performance.now();
    await writeFile(join(dir, "odd.stl"), "abc");
    await user.about("odd");
    assert.ok(performance.now() - oddMs > 1800);
    assert.equal(toldOf("odd").length, 1);
  });

  test("MSH-9 a folder that vanishes is a problem in /health, and is watched again", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    await place(dir, "a.stl", sizedCube(1));
    await user.about("a");
    await rename(dir, `${dir}-away`);
    t.after(() => rm(`${dir}-away`, { recursive: true, force: true }));
    type Health = { status: string; problems?: string[] };
    let health = await json<Health>(server, "/health");
    while (!health.problems) health = await json<Health>(server, "/health");
    assert.deepEqual(health.status, "healthy");
    assert.match(health.problems!.join(), /current/);
    assert.doesNotMatch(health.problems!.join(), /tmp/);
    await rename(`${dir}-away`, dir);
    await place(dir, "b.stl", sizedCube(2));
    await user.about("b");
    assert.ok(!("problems" in (await json<Health>(server, "/health"))));
    assert.deepEqual(
      user.heard.slice(1).map(({ event, design_id }) => `${event} ${design_id}`),
      ["new_mesh a", "new_mesh b"],
    );
  });

  for (const when of ["1969-07-20", "2400-01-01"]) {
    test(`MSH-5 MSH-6 MSH-9 a file dated ${when} holds up no other, and is announced itself`, async (t) => {
      const { server, dir } = await meshServer(t);
      const odd = async (name: string, edge: number) => {
        const made = join(await meshFolder(t), name);
        await writeFile(made, sizedCube(edge));
        await utimes(made, new Date(when), new Date(when));
        await rename(made, join(dir, name));
      };
      await server.close();
      await odd("odd.stl", 1);
      await place(dir, "a.stl", sizedCube(2));
      await server.restart();
      const designs = async () =>
        (await json<{ meshes: Row[] }>(server, "/api/meshes/list")).meshes.map(({ design_id }) => design_id).sort();
      assert.deepEqual(await designs(), ["a", "odd"]);
      const user = await watcher(server);
      await odd("later.stl", 3);
      await place(dir, "last.stl", sizedCube(4));
      await user.about("last");
      await user.about("later");
      assert.ok(!("problems" in (await json<object>(server, "/health"))));
      user.ws.close();
      await server.restart();
      assert.deepEqual(await designs(), ["a", "last", "later", "odd"]);
      const { seq } = await json<{ seq: number }>(server, "/meshes/health");
      await server.restart();
      assert.equal((await json<{ seq: number }>(server, "/meshes/health")).seq, seq, "told once");
    });
  }

  test("MSH-41 MSH-19 a thousand files at once: each told exactly once, and pings are answered meanwhile", async (t) => {
    const { server, dir } = await meshServer(t);
    const [user, pinging] = [await watcher(server), await watcher(server)];
    const count = 1000;
    const staging = await meshFolder(t);
    await Promise.all(Array.from({ length: count }, (_, i) => writeFile(join(staging, `${i}.stl`), sizedCube(i + 1))));
    await Promise.all((await readdir(staging)).map((name) => rename(join(staging, name), join(dir, name))));
    let slowestMs = 0;
    const all = user.of("new_mesh", count);
    let told = false;
    void all.then(() => {
      told = true;
    });
    for (let i = 1; !told; i++) {
      const beganMs = performance.now();
      await pinging.tell("ping");
      await pinging.of("pong", i);
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(new Set((await all).map((each) => each.design_id)).size, count);
    assert.ok(slowestMs < 10_000, `${slowestMs} ms`);
    const { total } = await json<{ total: number }>(server, "/api/meshes/list");
    assert.equal(total, count);
    assert.equal(user.heard.length, count + 1);
    user.ws.close();
    pinging.ws.close();
  });

  test("GEN-41 MSH-6 MSH-8 the designs are one space with a label; what comes to an empty folder meanwhile is added", async (t) => {
    const { server, dir } = await meshServer(t);
    const spaces = async () => (await json<{ spaces: SpaceSummary[] }>(server, "/v1/spaces")).spaces;
    assert.equal((await spaces()).find(({ labels }) => labels?.meshes === true)?.id, "mesh-designs");
    await server.close();
    await place(dir, "a.stl", sizedCube(1));
    await server.restart();
    const user = await watcher(server, "?since=0");
    assert.deepEqual([(await user.about("a")).change, user.heard[0]!.active_connections], ["added", 1]);
    user.ws.close();
    const unnamed = await testServer(t);
    const { spaces: all } = await json<{ spaces: SpaceSummary[] }>(unnamed, "/v1/spaces");
    assert.deepEqual(
      all.map(({ id }) => id),
      ["place"],
    );
  });

  test("GEN-41 somebody deletes the space: whoever is connected hears of the designs that come then", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    await place(dir, "a.stl", sizedCube(1));
    await user.about("a");
    assert.equal((await server.send("DELETE", "/v1/spaces/mesh-designs")).status, 204);
    await place(dir, "b.stl", sizedCube(2));
    assert.equal((await user.about("b")).change, "added");
    await place(dir, "c.stl", sizedCube(3));
    await user.about("c");
    assert.deepEqual(
      user.heard.slice(1).map(({ event, design_id }) => `${event} ${design_id}`),
      ["new_mesh a", "new_mesh b", "new_mesh c"],
    );
  });
});
