/** The engine that is somebody else's program, behind the heritage face: its good days and its bad ones. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { ServerOptions } from "../../server-options.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

type Message = Record<string, unknown> & { type: string };

/**
 * What the program does follows from how often it was called: a line of `calls` for each. `k` is the number of the call.
 * It writes text and binary PLY, float and double, and a merged file that is not to be read.
 */
const PROGRAM = `#!/usr/bin/env node
const fs = require("node:fs"), path = require("node:path");
const [image, reference, id] = process.argv.slice(2);
const home = __dirname, calls = path.join(home, "calls");
const full = process.env.CAIRN_FULL_REFETCH;
const known = /element vertex (\\d+)/.exec(fs.readFileSync(reference, "latin1"))[1];
const list = fs.readFileSync(process.env.CAIRN_IMAGES, "utf8").trim().split("\\n");
fs.appendFileSync(calls, JSON.stringify({ size: fs.statSync(image).size, ending: path.extname(image), id, full, known, images: list.length }) + "\\n");
const k = fs.readFileSync(calls, "utf8").trim().split("\\n").length;
const plan = JSON.parse(fs.readFileSync(path.join(home, "plan.json"), "utf8"))[k] ?? "good";
console.log("some progress");
if (plan === "exit") process.exit(3);
if (plan === "hang") return setInterval(() => {}, 1000);
if (plan === "nowhere") return console.log("/no/such/folder");
const out = fs.mkdtempSync(path.join(home, "out-"));
const text = (n, x) => "ply\\nformat ascii 1.0\\nelement vertex " + n + "\\nproperty double x\\nproperty double y\\nproperty double z\\n" +
  "property uchar red\\nproperty uchar green\\nproperty uchar blue\\nend_header\\n" +
  Array.from({ length: n }, (_, i) => [x + i / 100, k, 2, 10, 20, 30].join(" ") + "\\n").join("");
if (plan === "nan") fs.writeFileSync(path.join(out, "a.ply"), text(1, 0).replace("0 1 2", "nan 1 2").replace(/^[-\\d.]+ (\\d+) 2 10/m, "nan $1 2 10"));
else if (plan === "garbage") fs.writeFileSync(path.join(out, "a.ply"), "no ply at all");
else if (plan === "big") {
  const count = 600_000, points = Buffer.alloc(15 * count, 90);
  for (let i = 0; i < count; i++) for (let axis = 0; axis < 3; axis++) points.writeFloatLE(Math.random(), 15 * i + 4 * axis);
  const head = text(0, 0).replace("ascii", "binary_little_endian").replace("vertex 0", "vertex " + count).replace(/double/g, "float");
  fs.writeFileSync(path.join(out, "a.ply"), Buffer.concat([Buffer.from(head), points]));
}
else if (plan !== "empty") {
  fs.writeFileSync(path.join(out, "b.ply"), text(full === "1" ? 50 : 5, 1));
  fs.writeFileSync(path.join(out, "a.ply"), text(3, 10));
  fs.writeFileSync(path.join(out, "merged.ply"), text(99, 0));
}
console.log(out);
`;

async function setUp(t: TestContext, plan: Record<number, string>, options: Partial<ServerOptions> = {}) {
  const home = await mkdtemp(join(tmpdir(), "cairn-program-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  const program = join(home, "program.cjs");
  await writeFile(program, PROGRAM);
  await chmod(program, 0o755);
  await writeFile(join(home, "plan.json"), JSON.stringify(plan));
  const server = await testServer(t, {
    engineProgram: program,
    spaceSettings: { rebuildEvery: 4 },
    ...options,
  });
  const heard: Message[] = [];
  const connect = async () => {
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws/black%20box`);
    ws.on("message", (data: Buffer) => heard.push(JSON.parse(data.toString()) as Message));
    await once(ws, "open");
    return ws;
  };
  const until = async (fits: () => boolean) => {
    while (!fits()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const calls = async () =>
    (await readFile(join(home, "calls"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const of = (type: string) => heard.filter((message) => message.type === type);
  return { server, heard, connect, until, calls, of };
}

const upload = (ws: WebSocket, photo = png(1)) =>
  ws.send(JSON.stringify({ type: "upload_image", image_data: photo.toString("base64") }));

describe("an external program as the engine", () => {
  test("HER-46 HER-47 it is run once for each photo, copies too, and once for all; nothing again after a restart", async (t) => {
    const { server, connect, until, calls, of } = await setUp(t, {});
    const ws = await connect();
    for (let i = 0; i < 5; i++) upload(ws);
    await until(() => of("processing_complete").length === 5);
    assert.deepEqual(
      of("processing_complete").map(({ sequence }) => sequence),
      [1, 2, 3, 4, 1],
    );
    assert.deepEqual(
      of("shard_update").map(({ points, is_full_refetch }) => [points, is_full_refetch]),
      [
        [8, false],
        [8, false],
        [8, false],
        [53, true],
        [8, false],
      ],
    );
    assert.deepEqual(
      (await calls()).map(({ full, known, images }) => [full, known, images]),
      [
        ["0", "0", 1],
        ["0", "8", 2],
        ["0", "16", 3],
        ["1", "24", 4],
        ["0", "53", 5],
      ],
    );
    const ids = of("upload_acknowledged").map(({ image_id }) => image_id);
    assert.deepEqual(
      (await calls()).map(({ id }) => id),
      ids,
    );
    assert.deepEqual(new Set((await calls()).map(({ ending }) => ending)), new Set([".png"]));
    // A program says of no camera where it was; its cloud is one all the same (HER-51).
    const answer = await fetch(`${server.url}/pointcloud/black%20box/latest`);
    const [, cloud = "", pose = ""] = (await answer.text()).split(/^--.*\r\n/m);
    assert.match(cloud, /\nelement vertex 61\n/);
    assert.match(pose, /\r\n\r\nnull\r\n$/);
    await server.restart();
    const again = await connect();
    upload(again, png(2));
    await until(() => of("processing_complete").length === 6);
    assert.equal((await calls()).length, 6, "what a run gave is kept");
    assert.equal((await calls())[5]?.known, "61");
    again.close();
  });

  test("HER-17 HER-27 HER-35 one on a slow line may be spared an older set's points, and hears of every photo", async (t) => {
    const { server, connect, until, of } = await setUp(
      t,
      { 2: "big", 4: "big" },
      { spaceSettings: { rebuildEvery: 2 } },
    );
    const slow = new WebSocket(`ws://127.0.0.1:${server.port}/ws/black%20box`, { perMessageDeflate: false });
    const said: Message[] = [];
    slow.on("message", (data: Buffer) => said.push(JSON.parse(data.toString()) as Message));
    await once(slow, "open");
    slow.pause();
    const ws = await connect();
    for (let i = 0; i < 4; i++) upload(ws, png(i + 1));
    await until(() => of("processing_complete").length === 4);
    slow.resume();
    await until(() => said.filter(({ type }) => type === "processing_complete").length === 4);
    const photos = of("upload_acknowledged").map(({ image_id }) => image_id);
    const course = said.slice(said.findIndex(({ type }) => type === "initial_state_complete") + 1);
    for (const [i, photo] of photos.entries()) {
      const own = course.filter(({ image_id }) => image_id === photo).map(({ type }) => type);
      assert.deepEqual([own[0], own.at(-1)], ["processing_started", "processing_complete"], `photo ${i}`);
      assert.ok(
        own.length > 2 && own.slice(1, -1).every((type) => type === "shard_update"),
        `photo ${i}: ${own.join()}`,
      );
    }
    const steps = course.filter(({ type }) => type !== "shard_update").map(({ type }) => type);
    const added = ["processing_started", "processing_complete"];
    const whole = ["processing_started", "refetch_starting", "processing_complete"];
    assert.deepEqual(steps, [...added, ...whole, ...added, ...whole]);
    const newest = course.slice(course.findLastIndex(({ type }) => type === "refetch_starting"));
    assert.deepEqual(
      newest.slice(1, -1).map(({ shard_index }) => shard_index),
      Array.from({ length: Number(newest[0]!.total_shards) }, (_, index) => index),
    );
    for (const each of [slow, ws]) each.close();
  });

  test("HER-24 HER-41 HER-48 a run that fails costs its photo, is told to all, and the next goes on", async (t) => {
    const plan = { 2: "exit", 3: "nowhere", 4: "empty", 5: "garbage", 6: "nan" };
    const { connect, until, of } = await setUp(t, plan);
    const ws = await connect();
    for (let i = 0; i < 7; i++) upload(ws);
    await until(() => of("processing_complete").length === 2);
    assert.deepEqual(
      of("processing_complete").map(({ sequence, total_images }) => [sequence, total_images]),
      [
        [1, 1],
        [2, 2],
      ],
    );
    const errors = of("error");
    assert.equal(errors.length, 5);
    const acknowledged = of("upload_acknowledged").map(({ image_id }) => image_id);
    for (const [i, { message, image_id }] of errors.entries()) {
      assert.match(String(message), /^Reconstruction failed: The reconstruction program|^Reconstruction failed: What/);
      assert.equal(image_id, acknowledged[i + 1]);
      assert.doesNotMatch(String(message), /\/tmp|cairn-program/);
    }
    ws.close();
  });

  test("HER-41 HER-48 GEN-21 one that hangs is ended; meanwhile others are answered, and the next photo goes on", async (t) => {
    const { connect, until, of, calls } = await setUp(t, { 1: "hang" }, { engineProgramMs: 5000 });
    const ws = await connect();
    upload(ws);
    upload(ws, png(2));
    // While it hangs: a second photo was acknowledged, and signs of life are answered.
    await until(() => of("upload_acknowledged").length === 2);
    ws.send(JSON.stringify({ type: "ping" }));
    await until(() => of("pong").length === 1);
    await until(() => of("processing_complete").length === 1);
    const [hung, next] = of("upload_acknowledged").map(({ image_id }) => image_id);
    assert.deepEqual(
      of("error").map(({ image_id }) => image_id),
      [hung],
    );
    assert.match(String(of("error")[0]?.message), /^Reconstruction failed: /);
    const [done] = of("processing_complete");
    assert.deepEqual([done?.image_id, done?.sequence, done?.total_images], [next, 1, 1]);
    assert.equal((await calls()).length, 2);
    ws.close();
  });
});
