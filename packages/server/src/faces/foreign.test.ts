/**
 * Clients in another language, by libraries that are not ours: Python's `websockets` and `aiohttp`, one script a face. What
 * they got is read by three's loaders and held against the validator of glTF.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { smallPhoto } from "@cairn/sample/small-photo";
import { validateBytes } from "gltf-validator";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { PLYLoader } from "three/examples/jsm/loaders/PLYLoader.js";
import { STLLoader } from "three/examples/jsm/loaders/STLLoader.js";
import { meshFolder, sizedCube } from "../test/mesh-fixtures.ts";
import { type TestServer, testServer } from "../test/test-server.ts";

const ENGINE = { openEngine: openEmbeddedEngine, spaceSettings: { preset: "sparse" as const, rebuildEvery: 2 } };

/** Two of the sample's, small, as files. */
async function photos({ dataDir }: TestServer): Promise<string[]> {
  return Promise.all(
    ["07.jpg", "08.jpg"].map(async (name) => {
      const file = join(dataDir, name);
      await writeFile(file, await smallPhoto(name));
      return file;
    }),
  );
}

/** Debian's first: that is where its packages are. */
const PYTHONS = ["/usr/bin/python3", "python3"];

async function run(program: string, words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (piece) => {
    out += piece;
  });
  child.stderr.on("data", (piece) => {
    err += piece;
  });
  const [code] = (await once(child, "close").catch(() => [127])) as [number];
  return { code, out, err };
}

/** One with both libraries. */
async function findPython(): Promise<string | undefined> {
  for (const program of PYTHONS) {
    if ((await run(program, ["-c", "import websockets, aiohttp"])).code === 0) return program;
  }
  return undefined;
}
const python = findPython();

/** Runs a face's script; what it printed, or undefined where there is no Python to run it. */
async function foreign<T>(t: TestContext, face: string, words: readonly string[]): Promise<T | undefined> {
  const program = await python;
  if (program === undefined) {
    t.skip("SKIPPED: no Python with websockets and aiohttp (Debian: python3-websockets python3-aiohttp)");
    return undefined;
  }
  const script = fileURLToPath(new URL(`../../src/faces/${face}/foreign.py`, import.meta.url));
  const { code, out, err } = await run(program, [script, ...words]);
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

const arrayBuffer = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;

test("HER-5 HER-20 HER-28 HER-32 HER-51 heritage by Python; its PLY by three", async (t) => {
  const server = await testServer(t, ENGINE);
  const got = await foreign<{ points: number; ply: string }>(t, "heritage", [server.url, ...(await photos(server))]);
  if (!got) return;
  assert.ok(got.points > 100, `${got.points} points`);
  const geometry = new PLYLoader().parse(arrayBuffer(Buffer.from(got.ply, "base64")));
  assert.equal(geometry.getAttribute("position").count, got.points);
  assert.equal(geometry.getAttribute("color").count, got.points);
});

test("DEP-20 DEP-27 DEP-32 DEP-41 depth sessions by Python; its GLB by three, without an error", async (t) => {
  const server = await testServer(t, ENGINE);
  const out = join(server.dataDir, "model.glb");
  const metadata = await foreign<{ registered: boolean[]; points3d_shape: number[] }>(t, "depth", [
    server.url,
    out,
    ...(await photos(server)),
  ]);
  if (!metadata) return;
  assert.deepEqual(metadata.registered, [true, true]);
  const bytes = new Uint8Array(await readFile(out));
  const { issues } = await validateBytes(bytes);
  assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages.slice(0, 3)));
  const { scene } = await new GLTFLoader().parseAsync(arrayBuffer(bytes), "");
  const kinds = scene.children.map(({ type }) => type);
  assert.deepEqual(kinds, ["Points", "LineSegments", "LineSegments"]);
});

test("MSH-10..MSH-17 MSH-22 meshes by Python; its STL by three", async (t) => {
  const dir = await meshFolder(t);
  const server = await testServer(t, { meshFolders: [{ name: "current", dir }] });
  const work = join(server.dataDir, "work");
  await mkdir(work);
  const [design, out] = [join(work, "part no. 7.stl"), join(work, "fetched.stl")];
  await writeFile(design, sizedCube(3));
  const metadata = await foreign<{ volume: number; face_count: number }>(t, "meshes", [server.url, dir, design, out]);
  if (!metadata) return;
  assert.deepEqual([metadata.volume, metadata.face_count], [27, 12]);
  const geometry = new STLLoader().parse(arrayBuffer(await readFile(out)));
  assert.equal(geometry.getAttribute("position").count, 36);
});

test("IMG-6 IMG-11 IMG-25 IMG-43..IMG-48 image tools by Python", async (t) => {
  const server = await testServer(t);
  const result = await foreign<{ succeeded: number; failed: unknown[] }>(t, "imagetools", [
    server.url,
    ...(await photos(server)),
  ]);
  if (!result) return;
  assert.deepEqual([result.succeeded, result.failed], [2, []]);
});
