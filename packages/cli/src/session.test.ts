/** `cairn session` against a real server: photos and a video become a GLB, and Ctrl-C leaves nothing behind. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { workplace } from "./test/workplace.ts";

const { binary, folder, smallPhotos, start, cairn, firstLine } = workplace();

type Metadata = {
  photos: { name: string; refused?: string }[];
  registered: boolean[];
  intrinsics: number[][][];
  points3d_shape: number[];
  glb_size_bytes: number;
};

async function serve(...words: string[]): Promise<string> {
  const data = join(folder, `data-${words.length}`);
  return /http:\S+/.exec(await firstLine(start(["serve", "--port", "0", "--data", data, ...words])))![0];
}

async function sessions(url: string): Promise<{ status: string }[]> {
  return ((await (await fetch(`${url}/ws/sessions`)).json()) as { sessions: { status: string }[] }).sessions;
}

function nodeNames(glb: Buffer): string[] {
  const { nodes } = JSON.parse(glb.toString("utf8", 20, 20 + glb.readUInt32LE(12))) as { nodes: { name: string }[] };
  return nodes.map(({ name }) => name);
}

describe("cairn session", () => {
  let url: string;
  let photos: string[];
  before(async () => {
    photos = await smallPhotos("07.jpg", "08.jpg", "09.jpg");
    url = await serve("--preset", "sparse");
  });

  test("DEP-8 DEP-10 photos become a GLB as its parameters say; one that is none is named", async () => {
    const out = join(folder, "model.glb");
    const words = ["--incremental", "--process-res", "300", "--out", out, "--server", url];
    const ended = await cairn(["session", "--images", ...photos, binary, "--json", ...words]);
    assert.deepEqual([ended.code, ended.err], [1, ""]);
    const told = JSON.parse(ended.out.toString()) as Metadata;
    assert.deepEqual(told.photos, [
      ...["07.jpg", "08.jpg", "09.jpg"].map((name) => ({ name })),
      { name: "cairn.mjs", refused: "not a readable image" },
    ]);
    assert.deepEqual(told.registered, [true, true, true]);
    for (const k of told.intrinsics) assert.ok(Math.abs(k[0]![2]! - 150) < 15, JSON.stringify(k));
    const glb = readFileSync(out);
    assert.equal(glb.length, told.glb_size_bytes);
    assert.deepEqual(nodeNames(glb), ["points", "camera 0", "camera 1", "camera 2"]);
  });

  test("frames of a video, evenly spread, become a GLB on standard output", async (t) => {
    if (spawnSync("ffmpeg", ["-version"]).status !== 0) return t.skip("SKIPPED: ffmpeg not found");
    const video = join(folder, "walk.mp4");
    const from = ["-framerate", "1", "-start_number", "7", "-i", join(folder, "%02d.jpg")];
    const made = spawnSync("ffmpeg", ["-v", "error", ...from, "-frames:v", "3", "-c:v", "mjpeg", "-q:v", "2", video]);
    assert.equal(made.status, 0, String(made.stderr));
    const words = ["--num-frames", "3", "--no-show-cameras", "--num-max-points", "300", "--out", "-", "--server", url];
    const { code, out, err } = await cairn(["session", "--video", video, ...words]);
    assert.deepEqual([code, err.replace(/[\d.]+ MB/, "MB")], [0, "3 of 3 photos used, 300 points, MB\n"]);
    assert.deepEqual(nodeNames(out), ["points"]);
  });

  test("what cannot become a model costs one line", async () => {
    const text = join(folder, "text.mp4");
    writeFileSync(text, "no video");
    const out = join(folder, "none.glb");
    for (const [words, code, said] of [
      [["--images", photos[0]!], 1, /not enough overlapping images/],
      [["--images", join(folder, "none.jpg")], 1, /none\.jpg: no such file/],
      [["--images", photos[0]!, "--server", "http://127.0.0.1:1"], 1, /no server answers/],
      [["--video", join(folder, "none.mp4")], 1, /none\.mp4: no such file/],
      [["--video", text], 1, /./],
      [["--images", photos[0]!, "--video", text], 2, /either photos .* or a video/],
      [["--images", photos[0]!, "--process-res", "1"], 2, /56 to 4096/],
    ] as const) {
      const { code: ended, err } = await cairn(["session", "--server", url, "--out", out, ...words]);
      assert.equal(ended, code, words.join(" "));
      assert.match(err, said);
      if (code === 1) assert.match(err, /^cairn: [^\n]+\n$/);
    }
    assert.equal(readdirSync(folder).includes("none.glb"), false);
  });

  test("Ctrl-C ends it with 130, and the session with its run on the server", async () => {
    const slow = join(folder, "slow");
    writeFileSync(slow, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const at = await serve("--engine", `command:${slow}`, "--log-level", "silent");
    const child = start(["session", "--images", photos[0]!, "--out", join(folder, "never.glb"), "--server", at]);
    const exit = once(child, "exit");
    while ((await sessions(at))[0]?.status !== "processing") await wait(20);
    child.kill("SIGINT");
    assert.deepEqual(await exit, [130, null]);
    assert.deepEqual(await sessions(at), []);
    assert.equal(readdirSync(folder).includes("never.glb"), false);
  });
});
