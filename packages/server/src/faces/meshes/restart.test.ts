/** What was told of meshes survives a process that is killed, and what it missed is told by the next. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { MeshUser, place, sizedCube } from "../../test/mesh-fixtures.ts";
import { startProcess } from "../../test/start-process.ts";

test("MSH-8 MSH-35 GEN-42 killed while it announces: every design once, in the order told, with its bytes", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-meshes-"));
  const dir = join(dataDir, "meshes", "current");
  let running = await startProcess(dataDir);
  t.after(async () => {
    running.child.kill("SIGKILL");
    await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  });
  const port = () => Number(new URL(running.url).port);
  const heard = [];
  let since = 0;
  const count = 60;
  for (let round = 0, placed = 0; round < 3; round++) {
    const user = new MeshUser(port(), `?since=${since}`);
    await user.of("replay_complete");
    for (const end = placed + count / 3; placed < end; placed++) {
      await place(dir, `d${placed}.stl`, sizedCube(placed + 1));
    }
    // Killed in the middle of it.
    await user.of("new_mesh", 5);
    running.child.kill("SIGKILL");
    await Promise.all([once(running.child, "exit"), user.closed]);
    const told = user.heard.filter(({ event }) => event === "new_mesh");
    heard.push(...told);
    since = Number(told.at(-1)?.seq ?? since);
    running = await startProcess(dataDir);
  }
  const last = new MeshUser(port(), `?since=${since}`);
  // On a slow machine some are told after the replay.
  if (heard.length < count) await last.of("new_mesh", count - heard.length);
  await last.of("replay_complete");
  heard.push(...last.heard.filter(({ event }) => event === "new_mesh"));
  assert.equal(heard.length, count);
  assert.equal(new Set(heard.map((each) => each.design_id)).size, count);
  const seqs = heard.map(({ seq }) => Number(seq));
  assert.deepEqual(
    seqs,
    [...seqs].sort((a, b) => a - b),
  );
  // The whole history is what the client heard in pieces.
  const whole = new MeshUser(port(), "?since=0");
  const [{ count: replayed } = { count: 0 }] = (await whole.of("replay_complete")) as { count?: unknown }[];
  assert.equal(replayed, count);
  assert.deepEqual(
    whole.heard.filter(({ event }) => event === "new_mesh").map(({ seq, sha256 }) => [seq, sha256]),
    heard.map(({ seq, sha256 }) => [seq, sha256]),
  );
  for (const { url, design_id } of heard.slice(0, 5)) {
    const bytes = Buffer.from(await (await fetch(running.url + String(url))).arrayBuffer());
    assert.deepEqual(bytes, sizedCube(Number(String(design_id).slice(1)) + 1));
  }
  for (const user of [last, whole]) user.ws.close();
});
