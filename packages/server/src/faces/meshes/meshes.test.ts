/** The meshes contract over a real server: its socket, its lists, and what is known of a design. */
import assert from "node:assert/strict";
import { mkdir, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import sharp from "sharp";
import {
  binaryStl,
  CUBE,
  json,
  meshFolder,
  place,
  type Row,
  sizedCube,
  TETRAHEDRON,
  textStl,
  watchedServer,
  watcher,
} from "../../test/mesh-fixtures.ts";
import { testServer } from "../../test/test-server.ts";

describe("designs", () => {
  test("MSH-5 MSH-10 MSH-13 MSH-15 MSH-22 MSH-30 a file moved into place is told, and is there when it is told", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    assert.deepEqual(user.heard[0], {
      event: "connection_ack",
      message: "Connected to mesh update stream",
      active_connections: 1,
      seq: 0,
    });
    const bytes = binaryStl(CUBE, "solid but binary");
    const beganMs = performance.now();
    await place(dir, "Würfel #1 100%.STL", bytes);
    const told = await user.about("Würfel #1 100%");
    assert.ok(performance.now() - beganMs < 10_000);
    const { mtimeMs } = await stat(join(dir, "Würfel #1 100%.STL"));
    const url = `/api/mesh/${encodeURIComponent("Würfel #1 100%")}`;
    assert.ok(Math.abs(Number(told.created_at) - mtimeMs / 1000) < 1e-3);
    const facts = { file_size: 684, url, metadata_url: `${url}/metadata`, revision: 1, change: "added" };
    const counts = { vertex_count: 8, face_count: 12, collection: "current" };
    assert.deepEqual({ ...told, ...facts, ...counts }, told);
    assert.ok(Number(told.seq) > 0 && /^[0-9a-f]{64}$/.test(String(told.sha256)) && !("replayed" in told));

    const got = await server.send("GET", url);
    assert.deepEqual(
      [got.status, got.headers.get("content-type"), got.headers.get("etag")],
      [200, "application/sla", `"${told.sha256}"`],
    );
    assert.match(
      got.headers.get("content-disposition")!,
      /^attachment; filename="W_rfel #1 100%.stl"; filename\*=UTF-8''W%C3%BCrfel/,
    );
    assert.deepEqual(Buffer.from(await got.arrayBuffer()), bytes);
    const head = await server.send("HEAD", url);
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, "684"]);
    const part = await server.send("GET", url, null, { range: "bytes=80-83" });
    assert.deepEqual([part.status, part.headers.get("content-range")], [206, "bytes 80-83/684"]);
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), Buffer.of(12, 0, 0, 0));
    const known = await server.send("GET", url, null, { "if-none-match": `"${told.sha256}"` });
    assert.equal(known.status, 304);

    const metadata = await json<Row>(server, `${url}/metadata`);
    assert.deepEqual(metadata, {
      design_id: "Würfel #1 100%",
      vertex_count: 8,
      face_count: 12,
      volume: 1,
      surface_area: 6,
      bounds: [
        [0, 0, 0],
        [1, 1, 1],
      ],
      is_watertight: true,
      file_size: 684,
      created_at: told.created_at,
      revision: 1,
      revisions: 1,
      sha256: told.sha256,
      url,
      collection: "current",
    });
  });

  test("MSH-15 a picture of each revision is there when it is told, drawn once; of what is no mesh there is none", async (t) => {
    const { server, dir, user } = await watchedServer(t);
    await place(dir, "cube.stl", sizedCube(1));
    const url = String((await user.about("cube")).thumbnail_url);
    const drawn = await server.send("GET", url);
    assert.deepEqual([drawn.status, drawn.headers.get("content-type")], [200, "image/png"]);
    const png = Buffer.from(await drawn.arrayBuffer());
    const { width, height, hasAlpha } = await sharp(png).metadata();
    assert.deepEqual([width, height, hasAlpha], [256, 256, true]);
    const { data } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
    const alpha = (x: number, y: number) => data[4 * (256 * y + x) + 3];
    assert.deepEqual([alpha(0, 0), alpha(255, 255), alpha(128, 128)], [0, 0, 255]);
    // Three sides in three lights: the top, the front and the right.
    const light = (x: number, y: number) => data[4 * (256 * y + x)]!;
    const sides = [light(128, 60), light(80, 160), light(180, 160)];
    assert.equal(new Set(sides).size, 3, sides.join(" "));
    const again = await server.send("GET", url, null, { "if-none-match": drawn.headers.get("etag")! });
    assert.equal(again.status, 304);
    await server.restart();
    assert.deepEqual(Buffer.from(await (await server.send("GET", url)).arrayBuffer()), png);
    const late = await watcher(server);
    await place(dir, "text.stl", "this is no mesh, and it is long enough to be one of those that are looked at");
    const told = await late.about("text");
    assert.equal(told.thumbnail_url, null);
    const none = await server.send("GET", "/api/mesh/text/thumbnail");
    assert.deepEqual([none.status, await none.json()], [422, { detail: "Failed to draw mesh: nothing to draw" }]);
    assert.equal(none.headers.get("etag"), null, "nobody keeps a refusal as the picture");
    assert.equal((await server.send("GET", "/api/mesh/nothing/thumbnail")).status, 404);
    late.ws.close();
  });

  test("MSH-1 MSH-6 MSH-7 MSH-16..MSH-18 what is present is in the history, in the order of its times", async (t) => {
    const dir = join(await meshFolder(t), "current");
    await mkdir(dir);
    for (const [i, name] of ["c", "a", "b"].entries()) {
      await writeFile(join(dir, `${name}.stl`), sizedCube(i + 1));
      await utimes(join(dir, `${name}.stl`), 1_700_000_000, 1_700_000_000 + (name === "c" ? 0 : 5));
    }
    await writeFile(join(dir, "young.stl"), sizedCube(9));
    const server = await testServer(t, { meshFolders: [{ name: "current", dir }] });
    const late = await watcher(server, "?since=0");
    const [done] = await late.of("replay_complete");
    const told = late.heard.slice(1, -1);
    assert.deepEqual(
      told.map(({ design_id, change, replayed, revision }) => [design_id, change, replayed, revision]),
      ["c", "a", "b", "young"].map((name) => [name, "present", true, 1]),
    );
    const last = Number(told.at(-1)!.seq);
    assert.deepEqual(done, { event: "replay_complete", seq: last, count: 4 });
    const live = await watcher(server);
    assert.equal(live.heard[0]!.seq, last);

    const middle = await watcher(server, `?since=${told[1]!.seq}`);
    await middle.of("replay_complete");
    assert.deepEqual(
      middle.heard.slice(1, -1).map((each) => each.design_id),
      ["b", "young"],
    );
    const beyond = await watcher(server, "?since=999999");
    assert.deepEqual((await beyond.of("replay_complete"))[0], { event: "replay_complete", seq: last, count: 0 });
    const wrong = await watcher(server, "?since=-3");
    assert.deepEqual((await wrong.of("error"))[0], { event: "error", message: "Invalid since: -3" });
    // All of them are live now, and nobody got what was there before as news.
    await place(dir, "next.stl", sizedCube(4));
    for (const user of [late, live, middle, beyond, wrong]) {
      assert.equal((await user.about("next")).change, "added");
      user.ws.close();
    }
    assert.deepEqual(
      live.heard.map(({ event }) => event),
      ["connection_ack", "new_mesh"],
    );
  });

  test("MSH-11 MSH-12 MSH-20 MSH-21 what a client says, and what it is answered", async (t) => {
    const { user } = await watchedServer(t);
    for (const ping of [" ping\n", { event: "ping" }, { type: "ping" }]) await user.tell(ping);
    assert.deepEqual(await user.of("pong", 3), [{ event: "pong" }, { event: "pong" }, { event: "pong" }]);
    for (const odd of ["hello", "[1]", { event: "sing" }, { type: "dance" }, {}, Buffer.of(1)]) await user.tell(odd);
    const errors = await user.of("error", 6);
    assert.deepEqual(
      errors.map(({ message }) => message),
      [
        "Unknown message: hello",
        "Unknown message: [1]",
        "Unknown message type: sing",
        "Unknown message type: dance",
        "Unknown message type: null",
        "Binary messages are not accepted here",
      ],
    );
  });

  test("MSH-1 MSH-19 MSH-23..MSH-29 MSH-33 MSH-39 MSH-40 lists, statistics, comparison and filters", async (t) => {
    const root = await meshFolder(t);
    for (const folder of ["current", "archive", "demo/deep", "parts"])
      await mkdir(join(root, folder), { recursive: true });
    const old = async (path: string, bytes: Buffer | string, time: number) => {
      await writeFile(join(root, path), bytes);
      await utimes(join(root, path), time, time);
    };
    await old("current/one.stl", sizedCube(1), 1000);
    await old("current/two.stl", textStl(TETRAHEDRON), 2000);
    await old("archive/one.stl", sizedCube(3), 3000);
    await old("demo/deep/show.stl", sizedCube(4), 4000);
    await old("parts/bolt.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", 5000);
    const server = await testServer(t, {
      meshFolders: [
        { name: "current", dir: join(root, "current") },
        { name: "parts", dir: join(root, "parts") },
      ],
    });
    const list = async (query: string) => {
      const { meshes, total } = await json<{ meshes: Row[]; total: number }>(server, `/api/meshes/list${query}`);
      return [meshes.map(({ design_id, collection }) => `${collection}/${design_id}`).join(" "), total];
    };
    assert.deepEqual(await list(""), ["archive/one current/two current/one", 3]);
    assert.deepEqual(await list("?include_demo=true&limit=1"), ["demo/show", 4]);
    assert.deepEqual(await list("?offset=2"), ["current/one", 3]);
    assert.deepEqual(await list("?collection=parts&collection=demo"), ["parts/bolt.obj demo/show", 2]);
    assert.deepEqual(await list("?collection=*&match=*o*"), [
      "parts/bolt.obj demo/show archive/one current/two current/one",
      5,
    ]);
    assert.deepEqual(await list("?match=t?o"), ["current/two", 1]);
    const recent = await json<{ meshes: Row[]; total: number }>(server, "/api/meshes/recent?limit=2");
    assert.deepEqual([recent.meshes.map(({ design_id }) => design_id), recent.total], [["one", "two"], 3]);
    for (const row of (await json<{ meshes: Row[] }>(server, "/api/meshes/list?collection=*")).meshes) {
      assert.equal((await server.send("GET", String(row.url))).headers.get("etag"), `"${row.sha256}"`);
      assert.equal((await json<Row>(server, String(row.metadata_url))).sha256, row.sha256);
    }
    const stats = await json<Row>(server, "/api/meshes/stats");
    const sizes = 3 * 684 + textStl(TETRAHEDRON).length + 32;
    assert.deepEqual(
      { ...stats, total_size_mb: Math.round(Number(stats.total_size_mb) * 2 ** 20) },
      {
        total_meshes: 5,
        current_meshes: 2,
        archived_meshes: 1,
        demo_meshes: 1,
        total_size_mb: sizes,
        mesh_directory: "current",
      },
    );
    const compared = await json<{ design_1: Row; design_2: Row; comparison: Record<string, number> }>(
      server,
      "/api/meshes/compare?design_id_1=one&design_id_2=two",
    );
    assert.deepEqual([compared.design_1.design_id, compared.design_2.url], ["one", "/api/mesh/two"]);
    const { volume_diff, surface_area_diff, ...counts } = compared.comparison;
    assert.deepEqual(counts, { vertex_count_diff: -4, face_count_diff: -8 });
    assert.ok(Math.abs(volume_diff! + 5 / 6) < 1e-9 && Math.abs(surface_area_diff! - (2.366025 - 6)) < 1e-5);

    await place(join(root, "current"), "fresh.stl", sizedCube(7));
    const user = await watcher(server, "?since=0&collection=*");
    await user.about("fresh");
    const timeline = await json<{ meshes: Row[]; stats: object; seq: number; server_time: number }>(
      server,
      "/api/meshes/timeline?limit=2",
    );
    assert.deepEqual(timeline.stats, { total_designs: 4, recent_designs: 1, total_file_size: sizes - 684 - 32 + 684 });
    assert.ok(Math.abs(timeline.server_time - Date.now() / 1000) < 60);
    const [fresh, before] = timeline.meshes;
    assert.deepEqual(
      [fresh!.design_id, fresh!.time_ago, fresh!.is_new, fresh!.seq, fresh!.viewer_url, "event" in fresh!],
      ["fresh", "just now", true, timeline.seq, "/meshes/?design=fresh", false],
    );
    assert.deepEqual([before!.is_new, /^\d+ days ago$/.test(String(before!.time_ago))], [false, true]);
    const earlier = await json<{ meshes: Row[] }>(server, `/api/meshes/timeline?before=${before!.seq}`);
    assert.ok(earlier.meshes.length > 0 && earlier.meshes.every(({ seq }) => Number(seq) < Number(before!.seq)));

    for (const path of [
      "/list?limit=0",
      "/list?limit=abc",
      "/list?offset=-1",
      "/list?collection=nope",
      "/recent?limit=101",
      "/timeline?limit=101",
      "/compare?design_id_1=one",
    ]) {
      const refused = await server.send("GET", `/api/meshes${path}`);
      const { detail } = (await refused.json()) as { detail: { loc: string[] }[] };
      assert.deepEqual([refused.status, detail[0]!.loc[0]], [422, "query"], path);
    }
    const lost = await server.send("GET", "/api/mesh/none%2F..%2Fx");
    assert.deepEqual([lost.status, await lost.json()], [404, { detail: "Mesh 'none/../x' not found" }]);
    assert.equal((await server.rawGet("/api/mesh/%2e%2e%2fone")).status, 404);
    assert.equal((await server.send("GET", "/meshes/api/mesh/one")).status, 200);

    const some = await watcher(server, "?since=0&collection=demo&collection=parts&match=b*");
    await some.of("replay_complete");
    assert.deepEqual(
      some.heard.filter(({ event }) => event === "new_mesh").map((each) => each.design_id),
      ["bolt.obj"],
    );
    const unknown = await watcher(server, "?collection=nope");
    assert.equal((await unknown.of("error"))[0]!.message, "Unknown collection: nope");
    for (const each of [user, some, unknown]) each.ws.close();
  });
});
