/** The image tools face under what nobody should send: it lives, says what is wrong in its shape, and others notice nothing. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

const MESSAGES = 3_000;
const REQUESTS = 3_000;
const SOCKETS = 20;

/** Mulberry32: the same numbers each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Pick = (below: number) => number;

const WORDS = ["ping", "pong", "image.uploaded", "connection.status", "error", "__proto__", "constructor", "💣", ""];
const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  90,
  1e308,
  "x".repeat(300),
  "../../etc/passwd",
  "\u0000",
  [],
  {},
  [[["deep"]]],
  "bulk_compress",
  "custom",
  "horizontal",
];

function message(pick: Pick): string | Buffer {
  const word = WORDS[pick(WORDS.length)]!;
  switch (pick(8)) {
    case 0:
      return word;
    case 1:
      return Buffer.from(Array.from({ length: pick(64) }, () => pick(256)));
    case 2:
      return JSON.stringify({ type: word, data: VALUES[pick(VALUES.length)] });
    case 3:
      return JSON.stringify({ type: VALUES[pick(VALUES.length)] ?? null });
    case 4:
      return "[".repeat(1 + pick(100));
    case 5:
      return JSON.stringify(VALUES[pick(VALUES.length)] ?? null);
    case 6:
      return `{"type":"${word}"`;
    default:
      return String.fromCharCode(...Array.from({ length: 1 + pick(40) }, () => 32 + pick(0xd000)));
  }
}

const FIELDS = [
  "session_id",
  "custom_session_id",
  "user_id",
  "ttl_seconds",
  "degrees",
  "direction",
  "width",
  "height",
  "operation_type",
  "image_ids",
  "params",
  "preset",
  "quality",
  "max_width",
  "format",
  "sequence",
];

function body(pick: Pick, ids: readonly string[]): string | FormData {
  if (pick(6) === 0) return ["", "{", "null", "[1]", '"x"', "{}}", "\u0000", '{"a":'.repeat(60)][pick(8)]!;
  if (pick(6) === 0) {
    const form = new FormData();
    if (pick(2)) form.set("session_id", ids[pick(ids.length)]!);
    if (pick(2)) form.set("source", WORDS[pick(WORDS.length)]!);
    if (pick(2)) form.set("file", new Blob([Uint8Array.from(png(pick(5), 4, 4).subarray(0, pick(200)))]), "../x.png");
    return form;
  }
  const fields = Array.from({ length: pick(5) }, () => {
    const value = pick(3) === 0 ? ids[pick(ids.length)] : VALUES[pick(VALUES.length)];
    return [FIELDS[pick(FIELDS.length)]!, value] as const;
  });
  return JSON.stringify(Object.fromEntries(fields));
}

const PATHS = [
  "POST /sessions",
  "POST /images",
  "POST /operations",
  "POST /compression/bulk",
  "POST /images/download-zip",
  "GET /operations",
  "GET /sessions/ID",
  "GET /sessions/ID/events?after=X",
  "GET /images/session/ID",
  "GET /images/ID/thumbnail",
  "POST /images/ID/rotate",
  "POST /images/ID/resize",
  "POST /images/ID/flip",
  "POST /images/ID/edit",
  "POST /compression/ID",
  "GET /history/ID",
  "POST /history/ID/undo",
  "POST /history/ID/restore",
  "DELETE /operations/ID",
  "POST /operations/ID/cancel",
  "DELETE /images/ID",
  "PUT /images/ID",
];

describe("the image tools face under fire", () => {
  test("IMG-9 IMG-10 IMG-17 messages and requests to every route that nobody should send", {
    timeout: 120_000,
  }, async (t) => {
    const server = await testServer(t, { rate: { perSecond: 100_000, burst: 100_000 } });
    const pick = numbers(20260207);
    const quiet = await newSession(server);
    const neighbour = new Page(server, quiet);
    await neighbour.of("connection.status");
    const victim = await newSession(server, { custom_session_id: "victim" });
    const image = await upload(server, victim, png(1));
    const ids = [victim, String(image.id), quiet.slice(0, 5), "nobody", "%00", "..%2f..", "💣", "x".repeat(500)];

    const pages = Array.from({ length: SOCKETS }, () => new Page(server, victim));
    await Promise.all(pages.map((page) => page.of("connection.status")));
    for (let i = 0; i < MESSAGES; i++) await pages[i % SOCKETS]!.tell(message(pick));

    for (let i = 0; i < REQUESTS; i += 10) {
      const some = Array.from({ length: 10 }, async () => {
        const [method = "", path = ""] = PATHS[pick(PATHS.length)]!.split(" ");
        const wanted = path.replace("ID", encodeURI(ids[pick(ids.length)]!)).replace("X", String(pick(3) - 1));
        const sent = body(pick, ids);
        const type = sent instanceof FormData || pick(8) === 0 ? undefined : { "content-type": "application/json" };
        const response = await fetch(`${server.url}/api/v1${wanted}`, {
          method,
          ...(type && { headers: type }),
          ...(method !== "GET" && { body: sent }),
        });
        const bytes = Buffer.from(await response.arrayBuffer());
        assert.ok(response.status < 500, `${method} ${wanted}: ${response.status} ${bytes.toString("utf8", 0, 200)}`);
        if (response.status < 400) return;
        const { detail } = JSON.parse(bytes.toString()) as { detail: unknown };
        assert.ok(typeof detail === "string" || Array.isArray(detail));
        assert.doesNotMatch(bytes.toString(), /\/tmp\/|node_modules|\.[jt]s:\d/);
      });
      await Promise.all(some);
    }

    for (const page of pages) {
      for (const { type, timestamp, data } of page.heard) {
        assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        if (type === "error") assert.equal(typeof data.message, "string");
      }
      for (const text of page.texts) assert.ok(text === "pong" || text.startsWith('{"type":'));
    }
    const beganMs = performance.now();
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    assert.ok(performance.now() - beganMs < 10_000);
    await upload(server, quiet, png(3));
    await neighbour.of("image.uploaded");
    // Who watched another session heard what happened in it, and nothing else.
    assert.ok(neighbour.events.every(({ data }) => data.session_id === quiet));
    assert.equal((await call(server, "GET", `/sessions/${quiet}`)).status, 200);
  });
});
