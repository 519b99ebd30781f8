/** Which failures are worth a line in the log. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol";
import Fastify from "fastify";
import { errorAnswer, sendError } from "./errors.ts";

test("GEN-26 GEN-27 what a stop cuts off is answered and is no error in the log; a full disk is", () => {
  const lines: unknown[] = [];
  const log = { error: (...line: unknown[]) => void lines.push(line) };
  const died = new CairnError("image.corrupt", { cause: "decoder died" });
  const { status, body } = errorAnswer(new CairnError("server.stopping", {}, died), log);
  assert.deepEqual([status, body.code, lines], [503, "server.stopping", []]);
  assert.equal(errorAnswer(new CairnError("store.full"), log).status, 507);
  assert.equal(lines.length, 1);
});

test("GEN-27 an upload that its sender breaks off is no error in the log; what broke while somebody waits is", async (t) => {
  const lines: string[] = [];
  const app = Fastify({ logger: { level: "error", stream: { write: (line: string) => void lines.push(line) } } });
  t.after(() => app.close());
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.addContentTypeParser("*", (_request, body, done) => done(null, body));
  const failed = new Promise<unknown>((resolve) => {
    app.post("/taken", async ({ body }) => {
      try {
        for await (const _ of body as AsyncIterable<Uint8Array>);
      } catch (error) {
        setImmediate(resolve, error);
        throw error;
      }
    });
  });
  app.post("/broken", () => Promise.reject(new Error("ours")));
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  assert.equal((await fetch(`${url}/broken`, { method: "POST" })).status, 500);
  assert.match(lines.pop() ?? "", /"ours"/);
  const sender = connect(Number(new URL(url).port), "127.0.0.1");
  await once(sender, "connect");
  const head = "POST /taken HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\n";
  await new Promise((resolve) => sender.write(`${head}cut`, resolve));
  sender.resetAndDestroy();
  assert.match(String(await failed), /aborted|reset/i);
  await app.close(); // ends when the answer to what was broken off is over
  assert.deepEqual(lines, []);
});
