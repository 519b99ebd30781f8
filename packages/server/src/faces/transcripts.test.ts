/** What known clients of the faces say and hear, in order, against one server in a process of its own. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { smallPhoto } from "@cairn/sample/small-photo";
import { FormData, fetch, WebSocket } from "undici";
import { place, sizedCube } from "../test/mesh-fixtures.ts";
import { startProcess } from "../test/start-process.ts";
import { assertMatches, play, type Stage, type StageClient, type Transcript } from "../test/transcript.ts";

type Recorded = "heritage" | "depth" | "meshes" | "imagetools" | "hub";

/** In the order in which they are played: some go on where one before them stopped. */
const RECORDED: Record<Recorded, readonly string[]> = {
  heritage: ["photographers", "later-client", "legacy-http"],
  depth: ["its-own-test", "command-line", "web-page", "later-dialect"],
  meshes: ["viewer", "returning", "history-page"],
  imagetools: ["web-page", "phone", "flat"],
  hub: ["phone-and-page", "tied-listener"],
};

const folderOf = (face: Recorded) => new URL(`../../src/faces/${face}/transcripts/`, import.meta.url);

/** A server with nothing in it, and what the dialogues need beside it. */
async function setUp(t: TestContext, client?: StageClient): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-transcripts-"));
  const dir = await mkdtemp(join(dataDir, "designs-"));
  const meshFolders = [{ name: "current", dir }];
  const { child, url } = await startProcess(dataDir, { reconstruct: "sparse", rebuildEvery: 3, meshFolders });
  t.after(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  });
  const cube = (edge: number) => () => place(dir, "bracket_001.stl", sizedCube(edge));
  return {
    url,
    ...(client && { client }),
    file: async (name) => (name.endsWith(".jpg") ? new Uint8Array(await smallPhoto(name)) : Uint8Array.of(1, 2, 3)),
    acts: {
      "write a cube": cube(1),
      "write a larger cube": cube(2),
      "place it again": cube(2),
      "remove it": () => rm(join(dir, "bracket_001.stl")),
    },
  };
}

async function playAll(face: Recorded, stage: Stage): Promise<void> {
  for (const name of RECORDED[face]) {
    const recorded = JSON.parse(await readFile(new URL(`${name}.json`, folderOf(face)), "utf8")) as Transcript;
    await play(recorded, stage).catch((error: unknown) => {
      throw new Error(`${face}/${name}`, { cause: error });
    });
  }
}

test("recorded dialogues, field by field", async (t) => {
  const stage = await setUp(t);
  await t.test(
    "HER-2 HER-4..HER-6 HER-11..HER-23 HER-26..HER-28 HER-31 HER-32 HER-36 HER-38 HER-43 HER-44 HER-49..HER-53 heritage",
    () => playAll("heritage", stage),
  );
  await t.test(
    "DEP-1..DEP-7 DEP-18..DEP-23 DEP-26..DEP-30 DEP-37..DEP-40 DEP-45 DEP-48 DEP-51 DEP-54 depth sessions",
    () => playAll("depth", stage),
  );
  await t.test("MSH-10..MSH-17 MSH-21..MSH-26 MSH-30 MSH-33 MSH-39 MSH-40 meshes", () => playAll("meshes", stage));
  await t.test(
    "IMG-1..IMG-5 IMG-11..IMG-13 IMG-16..IMG-19 IMG-25..IMG-31 IMG-38 IMG-42..IMG-50 IMG-55 IMG-57 image tools",
    () => playAll("imagetools", stage),
  );
  await t.test("HUB-2..HUB-6 HUB-33 HUB-34 HUB-36 HUB-39 HUB-42..HUB-48 HUB-84..HUB-87 HUB-89 HUB-92 hub", () =>
    playAll("hub", stage),
  );
  await t.test("all that were recorded are played, and one that differs is told from one that does not", async () => {
    for (const face of Object.keys(RECORDED) as Recorded[]) {
      const names = (await readdir(folderOf(face))).map((name) => name.replace(/\.json$/, "")).sort();
      assert.deepEqual(names, [...RECORDED[face]].sort());
    }
    assert.throws(() => assertMatches({ seq: 1.5 }, { seq: "<int>" }), /message.seq/);
    assert.throws(() => assertMatches({ list: [1, 2] }, { list: [1] }), /length/);
    const health = { request: { method: "GET", path: "/health" }, status: 200 };
    await play({ about: "", steps: [{ ...health, body: { status: "healthy" } }] }, stage);
    await assert.rejects(play({ about: "", steps: [{ ...health, body: { status: "well" } }] }, stage), /status/);
  });
});

test("the same by undici's fetch and WebSocket", async (t) => {
  const stage = await setUp(t, { WebSocket, fetch, FormData } as StageClient);
  for (const face of Object.keys(RECORDED) as Recorded[]) await playAll(face, stage);
});
