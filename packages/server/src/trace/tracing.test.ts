/** What a collector of OpenTelemetry hears. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { png } from "../test/png.ts";
import { startProcess } from "../test/start-process.ts";
import { openTracing } from "./tracing.ts";

type HeardSpan = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: number } }[];
};

test("GEN-13 without an endpoint nothing is traced, and nothing of it is loaded", async () => {
  assert.equal(await openTracing("1", (error) => assert.ifError(error), {}), undefined);
});

test("GEN-13 a request and the photo that it brought are spans of the device's own trace, told to the endpoint", async () => {
  const heard: HeardSpan[] = [];
  const collector = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { resourceSpans } = JSON.parse(Buffer.concat(parts).toString());
    for (const { scopeSpans } of resourceSpans) for (const { spans } of scopeSpans) heard.push(...spans);
    response.setHeader("content-type", "application/json").end("{}");
  });
  collector.listen(0, "127.0.0.1");
  await once(collector, "listening");
  after(() => collector.close());
  const dir = await mkdtemp(join(tmpdir(), "cairn-trace-"));
  after(() => rm(dir, { recursive: true, force: true }));
  const { child, url } = await startProcess(dir, {
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      OTEL_BSP_SCHEDULE_DELAY: "100",
    },
  });
  after(() => child.kill("SIGKILL"));
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const json = { "content-type": "application/json" };
  assert.equal((await fetch(`${url}/v1/spaces`, { method: "POST", headers: json, body: '{"id":"site"}' })).status, 201);
  // The device's own trace goes on here; the same photo again is judged at once.
  for (const span of ["b7ad6b7169203331", "b7ad6b7169203332"]) {
    const sent = await fetch(`${url}/v1/spaces/site/images`, {
      method: "POST",
      headers: { "content-type": "image/png", traceparent: `00-${traceId}-${span}-01` },
      body: png(64, 48),
    });
    assert.equal(sent.status, 201, await sent.text());
  }
  const found = (name: string) => heard.filter((span) => span.name === name);
  for (const from = performance.now(); found("upload").length < 1; await delay(50)) {
    assert.ok(performance.now() - from < 60_000, `heard ${heard.map(({ name }) => name)}`);
  }
  // What is still open is told when the server stops.
  child.kill("SIGTERM");
  await once(child, "exit");
  const requests = found("POST /v1/spaces/:space/images");
  assert.deepEqual(
    requests.map((span) => [span.traceId, span.parentSpanId]),
    [
      [traceId, "b7ad6b7169203331"],
      [traceId, "b7ad6b7169203332"],
    ],
  );
  const uploads = found("upload");
  assert.equal(uploads.length, 2);
  for (const upload of uploads) assert.ok(requests.some(({ spanId }) => spanId === upload.parentSpanId));
  const verdicts = uploads.flatMap(({ attributes }) =>
    attributes.filter(({ key }) => key === "cairn.verdict").map(({ value }) => value.stringValue),
  );
  assert.deepEqual(verdicts, ["rejected"]);
});
