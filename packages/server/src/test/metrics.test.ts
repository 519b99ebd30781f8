/** What the server tells of itself to Prometheus, and what it packs smaller when asked. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { png } from "./png.ts";
import { testServer } from "./test-server.ts";

describe("figures", () => {
  test("GEN-12 /metrics counts sockets, messages, requests and queues, with labels from closed sets", async (t) => {
    const server = await testServer(t);
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/ws/site`);
    await once(ws, "message");
    ws.send("no json");
    await once(ws, "message");
    await server.upload(png(1));
    await server.send("GET", "/no/such/path/4711");
    const read = async () => {
      const response = await server.send("GET", "/metrics");
      assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      const text = await response.text();
      return (name: string) =>
        Number(
          text
            .split("\n")
            .find((line) => line.startsWith(`${name} `))
            ?.split(" ")
            .at(-1),
        );
    };
    let value = await read();
    assert.equal(value('cairn_ws_connections{face="heritage"}'), 1);
    assert.equal(value('cairn_ws_connections{face="live"}'), 0);
    assert.equal(value('cairn_ws_opened_total{face="heritage"}'), 1);
    assert.equal(value('cairn_ws_messages_total{face="heritage",direction="in"}'), 1);
    assert.equal(value('cairn_ws_messages_total{face="heritage",direction="out"}'), 3);
    assert.equal(value('cairn_ws_errors_total{face="heritage",reason="refused"}'), 1);
    assert.equal(value('cairn_queue_depth{queue="photos"}'), 1);
    assert.equal(value('cairn_http_requests_total{route="unknown",method="GET",status="404"}'), 1);
    assert.ok(value('cairn_http_requests_total{route="/v1/spaces/:space/images",method="POST",status="201"}') === 1);
    ws.close(4711);
    await once(ws, "close");
    do value = await read();
    while (value('cairn_ws_connections{face="heritage"}') !== 0);
    assert.equal(value('cairn_ws_closed_total{face="heritage",code="other"}'), 1);
    assert.ok(value('cairn_ws_bytes_total{face="heritage",direction="out"}') > 100);
  });

  test("GEN-24 JSON above 1 KiB is compressed for those who ask; a range is of the bytes as they are", async (t) => {
    const server = await testServer(t);
    const get = (path: string, headers: Record<string, string>) =>
      new Promise<{ headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
        const asking = request({ port: server.port, path, headers }, (response) => {
          const pieces: Buffer[] = [];
          response.on("data", (piece: Buffer) => pieces.push(piece));
          response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(pieces) }));
        });
        asking.on("error", reject);
        asking.end();
      });
    const packed = await get("/openapi.json", { "accept-encoding": "gzip" });
    assert.equal(packed.headers["content-encoding"], "gzip");
    const plain = await get("/openapi.json", {});
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.deepEqual(gunzipSync(packed.body), plain.body);
    const small = await get("/v1/spaces", { "accept-encoding": "gzip" });
    assert.equal(small.headers["content-encoding"], undefined);
    const range = await get("/openapi.json", { "accept-encoding": "gzip", range: "bytes=0-9" });
    assert.equal(range.headers["content-encoding"], undefined);
  });
});
