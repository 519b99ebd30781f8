/** Photos of a real place through the whole server, and out again as files. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { readPly } from "@cairn/formats";
import type { CairnEvent } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { receiptOf, testServer } from "./test-server.ts";

const datasets =
  process.env.CAIRN_DATASETS ?? fileURLToPath(new URL("../../../../../shared/datasets", import.meta.url));

test("HTTP-22 the published model as PLY and COLMAP, and a rebuild on request", async (t) => {
  const folder = join(datasets, "fountain-P11/images");
  if (!existsSync(folder)) return t.skip(`SKIPPED: ${folder} not found`);
  const server = await testServer(t, { openEngine: (options) => openEmbeddedEngine({ ...options, threads: 2 }) });
  for (const name of (await readdir(folder)).sort().slice(0, 3)) {
    await receiptOf(await server.upload(await readFile(join(folder, name)), `name=${name}`));
  }
  const published = await eventually(
    server.url,
    (event) => event.type === "generation.published" && event.data.cameras === 3,
  );
  assert.ok(published.type === "generation.published");

  const ply = await server.send("GET", "/v1/spaces/place/exports/points.ply");
  const { positions } = readPly(Buffer.from(await ply.arrayBuffer()));
  assert.equal(positions.length / 3, published.data.points);
  const cameras = await (await server.send("GET", "/v1/spaces/place/exports/colmap/cameras.txt")).text();
  assert.match(cameras, /^\d+ (PINHOLE|SIMPLE_RADIAL|RADIAL) \d+ \d+ /m);
  const images = await (await server.send("GET", "/v1/spaces/place/exports/colmap/images.txt")).text();
  const zip = Buffer.from(await (await server.send("GET", "/v1/spaces/place/exports/colmap")).arrayBuffer());
  const at = zip.indexOf("images.txt");
  const packed = zip.subarray(at + 10, at + 10 + zip.readUInt32LE(at - 30 + 18));
  assert.equal(inflateRawSync(packed).toString(), images);

  const started = await server.send("POST", "/v1/spaces/place/operations", JSON.stringify({ kind: "rebuild" }));
  assert.equal(started.status, 202);
  const { operation } = (await started.json()) as { operation: string };
  await eventually(server.url, (event) => event.type === "operation.completed" && event.data.operation === operation);
});

/** The first event that fits, over Server-Sent Events: the log's own order, no polling. */
async function eventually(url: string, fits: (event: CairnEvent) => boolean): Promise<CairnEvent> {
  const response = await fetch(`${url}/v1/spaces/place/events/stream?after=0`, { signal: AbortSignal.timeout(90_000) });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const whole = text.split("\n\n");
    text = whole.pop()!;
    for (const message of whole) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      const event = data === undefined ? undefined : (JSON.parse(data) as CairnEvent);
      if (event && fits(event)) return event;
    }
  }
  throw new Error("the stream ended");
}
