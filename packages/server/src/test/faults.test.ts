/** Kills and a full disk, seen from outside. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CairnEvent, ImageReceipt } from "@cairn/protocol";
import { png } from "./png.ts";
import { startProcess } from "./start-process.ts";
import { errorOf, receiptOf, testServer } from "./test-server.ts";

const KILLS = 5;
const WRITERS = 4;

test("HTTP-25 GEN-42 GEN-44 kills while photos stream in: none that was acknowledged is lost, none is doubled", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-kill-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const acknowledged = new Map<string, ImageReceipt>();
  const pending: number[] = Array.from({ length: KILLS * 10 }, (_, i) => i);

  for (let kill = 0; kill <= KILLS; kill++) {
    const { child, url } = await startProcess(dataDir);
    t.after(() => child.kill("SIGKILL"));
    const images = `${url}/v1/spaces/place/images`;
    if (kill === 0) {
      const made = await fetch(`${url}/v1/spaces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"id":"place"}',
      });
      assert.equal(made.status, 201);
    }
    const before = acknowledged.size;
    // The kill comes at another place each time: after so many answers, while the other writers are in the middle.
    const killAfter = kill < KILLS ? 1 + (kill % 5) : Number.POSITIVE_INFINITY;
    const write = async () => {
      for (;;) {
        const seed = pending.shift();
        if (seed === undefined) return;
        try {
          const response = await fetch(`${images}?key=k${seed}&name=${seed}.png`, {
            method: "POST",
            headers: { "content-type": "image/png" },
            body: png(seed),
          });
          const receipt = (await response.json()) as ImageReceipt;
          assert.ok(response.ok, JSON.stringify(receipt));
          acknowledged.set(`k${seed}`, receipt);
          if (acknowledged.size - before >= killAfter) child.kill("SIGKILL");
        } catch (error) {
          if (!child.killed) throw error;
          // Not acknowledged: it is sent again, under the same key.
          pending.push(seed);
          return;
        }
      }
    };
    const ended = once(child, "exit");
    await Promise.all(Array.from({ length: WRITERS }, write));

    if (kill === KILLS) {
      const { events } = (await (await fetch(`${url}/v1/spaces/place/events?limit=5000`)).json()) as {
        events: CairnEvent[];
      };
      assert.deepEqual(
        events.map(({ seq }) => seq),
        events.map((_, i) => i + 1),
      );
      const added = events.flatMap((event) => (event.type === "image.added" ? [event] : []));
      assert.equal(added.length, KILLS * 10, "every photo once");
      assert.equal(new Set(added.map(({ data }) => data.key)).size, KILLS * 10);
      assert.equal(acknowledged.size, KILLS * 10);
      for (const { seq, data } of added) {
        const receipt = acknowledged.get(data.key ?? "");
        assert.deepEqual([receipt?.image, receipt?.seq, receipt?.blob], [data.image, seq, data.blob]);
        const stored = await fetch(`${url}/v1/blobs/${data.blob}`);
        assert.deepEqual(Buffer.from(await stored.arrayBuffer()), png(Number(data.key?.slice(1))));
      }
      child.kill("SIGKILL");
    }
    await ended;
  }
});

test("HTTP-26 a full disk: 507, reads go on, and with room again writes do", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", dataDir]);
  if (mounted.status !== 0) {
    await rm(dataDir, { recursive: true });
    return t.skip("SKIPPED: a small disk can't be mounted here (needs root)");
  }
  const server = await testServer(t, { dataDir });
  // After the server's own end.
  t.after(async () => {
    spawnSync("umount", ["-l", dataDir]);
    await rm(dataDir, { recursive: true });
  });
  const first = await receiptOf(await server.upload(png(1)));

  // Other files take what is left, so that a photo finds no room.
  const filler = join(dataDir, "filler");
  for (let size = 8 * 2 ** 20; size >= 4096; size /= 2) {
    const more = Buffer.alloc(size);
    await writeFile(filler, more, { flag: "a" }).catch(() => {});
  }
  const photo = png(2, 400, 300);
  const refused = await errorOf(await server.upload(photo));
  assert.deepEqual([refused.status, refused.code, refused.retry], [507, "store.full", true]);
  const head = (await server.events()).length;
  assert.equal((await server.send("GET", `/v1/blobs/${first.blob}`)).status, 200);
  assert.equal((await server.send("GET", "/v1/spaces/place/snapshot")).status, 200);
  const health = await server.send("GET", "/health");
  assert.equal(health.status, 503);
  assert.doesNotMatch(await health.text(), /cairn-full/);

  await rm(filler);
  const { image } = await receiptOf(await server.upload(photo));
  const events = await server.events();
  assert.equal(events.length, head + 1);
  const last = events.at(-1);
  assert.ok(last?.type === "image.added" && last.data.image === image);
});

test("requests that trickle in, headers or body, are cut; meanwhile and afterwards others are served", async (t) => {
  const server = await testServer(t, { timeouts: { headersMs: 1600, requestMs: 3200 } });
  await receiptOf(await server.upload(png(8))); // what is started for the first photo is not to be measured
  const upload = "POST /v1/spaces/place/images HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n";
  const starts = [
    "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    `${upload}X-Slow: `,
    `${upload}Content-Length: 5000\r\n\r\n`,
    `${upload.replace("image/png", "multipart/form-data; boundary=b")}Content-Length: 5000\r\n\r\n--b\r\n`,
    "POST /v1/spaces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n",
  ];
  const trickled = (start: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(server.port, "127.0.0.1", () => socket.write(start));
      const trickle = setInterval(() => socket.write("a"), 100);
      let answer = "";
      socket.on("data", (data) => {
        answer += data;
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        clearInterval(trickle);
        resolve(answer);
      });
    });
  let taken = 1;
  // A machine that is too slow for a photo within the time of the slow ones shows nothing: they are tried again.
  for (let meanwhile = false; !meanwhile; ) {
    const slow = Array.from({ length: 8 }, () => starts).flat();
    let open = slow.length;
    const answers = slow.map((start) => trickled(start).finally(() => open--));
    const { status } = await server.upload(png(taken));
    if (status === 201) taken++;
    meanwhile = status === 201 && open > 0;
    for (const [i, answer] of (await Promise.all(answers)).entries()) {
      assert.match(answer, /^HTTP\/1\.1 408 /, starts[i % starts.length]);
    }
  }
  await receiptOf(await server.upload(png(0)));
  assert.equal((await server.events()).filter(({ type }) => type === "image.added").length, taken + 1);
});
