/** What `npm start` does before there is a server: which Node it takes, what it installs, what it says when it cannot. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A repository of nothing but our tools. */
async function bare(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-npm-start-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(join(root, "tools"), join(folder, "tools"), { recursive: true });
  await writeFile(join(folder, "package-lock.json"), "{}");
  return folder;
}

/** Runs a tool with an `npm` that only writes down what it was asked for. */
async function runTool(folder: string, tool: string): Promise<{ status: number | null; said: string; npm: string }> {
  const programs = join(folder, "programs");
  const asked = join(folder, "asked");
  await mkdir(programs, { recursive: true });
  await writeFile(asked, "");
  await writeFile(join(programs, "npm"), `#!/bin/sh\necho "$@" >> "${asked}"\n`, { mode: 0o755 });
  const env = { ...process.env, NODE_ENV: "production", PATH: `${programs}:/usr/bin:/bin` };
  const { status, stderr } = spawnSync(process.execPath, [join(folder, "tools", tool)], { env, encoding: "utf8" });
  return { status, said: stderr, npm: await readFile(asked, "utf8") };
}

test("npm start takes the Node that its tools take, and package.json says the same", async () => {
  const { isSupported } = (await import(join(root, "tools/node-version.mjs"))) as {
    isSupported: (version: string) => boolean;
  };
  for (const version of ["20.19.0", "20.20.2", "22.12.0", "22.22.1", "23.5.0", "24.0.0", "26.1.0"])
    assert.ok(isSupported(version), version);
  for (const version of ["18.20.0", "20.18.3", "21.0.0", "21.7.3", "22.0.0", "22.11.0"])
    assert.ok(!isSupported(version), version);
  const { engines } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { engines: { node: string } };
  assert.equal(engines.node, "^20.19 || >=22.12");
});

test("npm start installs what builds, also in production, and again where that was left out", async (t) => {
  const folder = await bare(t);
  const first = await runTool(folder, "install.mjs");
  assert.deepEqual([first.status, /^ci --include=dev /.test(first.npm)], [0, true], first.npm);
  await mkdir(join(folder, "node_modules/.bin"), { recursive: true });
  await writeFile(join(folder, "node_modules/.package-lock.json"), "{}");
  const halfInstalled = await runTool(folder, "install.mjs");
  assert.match(halfInstalled.npm, /^ci --include=dev /);
  await writeFile(join(folder, "node_modules/.bin/tsc"), "");
  const whole = await runTool(folder, "install.mjs");
  assert.deepEqual([whole.status, whole.npm, whole.said], [0, "", ""]);
});

test("npm start names the program that it could not start", async (t) => {
  const folder = await bare(t);
  const { status, said } = await runTool(folder, "build.mjs");
  assert.equal(status, 1);
  assert.match(said, /node_modules\/\.bin\/tsc could not be started: .*ENOENT/);
  assert.match(said, /npm ci --include=dev/);
});
