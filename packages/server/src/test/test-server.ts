/** For tests: a real server on a free port over a temporary folder, and short ways to talk to it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CairnEvent, ErrorBody, ImageReceipt } from "@cairn/protocol";
import { type RunningServer, startServer } from "../compose.ts";
import type { ServerOptions } from "../server-options.ts";

export type TestServer = {
  url: string;
  port: number;
  listeners: RunningServer["listeners"];
  dataDir: string;
  /** Any request; a string body is sent as JSON. */
  send(
    method: string,
    path: string,
    body?: string | Buffer | FormData | null,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** One photo in. */
  upload(photo: Uint8Array, query?: string, space?: string): Promise<Response>;
  events(space?: string): Promise<CairnEvent[]>;
  /** A GET whose path goes out as it is: `fetch` would resolve its dots. */
  rawGet(path: string, headers?: Record<string, string>): Promise<{ status: number; body: string }>;
  restart(): Promise<void>;
  /** Lets go of `dataDir`. Done anyway when the test ends. */
  close(): Promise<void>;
};

/** With one space, `place`, and no reconstruction unless `openEngine` asks for it. */
export async function testServer(t: TestContext, options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "cairn-http-")));
  const engine = options.engineProgram === undefined ? { openEngine: null } : {};
  const start = () => startServer({ port: 0, logLevel: "silent", ...engine, ...options, dataDir });
  let running = await start();
  t.after(async () => {
    await running.close();
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  });
  const server: TestServer = {
    get url() {
      return running.url;
    },
    get port() {
      return running.port;
    },
    get listeners() {
      return running.listeners;
    },
    dataDir,
    send(method, path, body, headers = {}) {
      const json = typeof body === "string" ? { "content-type": "application/json" } : {};
      const token = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
      return fetch(running.url + path, { method, body: body ?? null, headers: { ...token, ...json, ...headers } });
    },
    upload(photo, query = "", space = "place") {
      const headers = { "content-type": "application/octet-stream" };
      return server.send("POST", `/v1/spaces/${space}/images?${query}`, Buffer.from(photo), headers);
    },
    async events(space = "place") {
      const response = await server.send("GET", `/v1/spaces/${space}/events?limit=5000`);
      return ((await response.json()) as { events: CairnEvent[] }).events;
    },
    rawGet: (path, headers = {}) =>
      new Promise((resolve, reject) => {
        get({ host: "127.0.0.1", port: running.port, path, headers }, (response) => {
          let body = "";
          response.on("data", (data) => {
            body += data;
          });
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        }).on("error", reject);
      }),
    async restart() {
      await running.close();
      running = await start();
    },
    close: () => running.close(),
  };
  const made = await server.send("POST", "/v1/spaces", JSON.stringify({ id: "place" }));
  assert.ok(made.status === 201 || made.status === 409, `space: ${made.status}`);
  return server;
}

export async function receiptOf(response: Response): Promise<ImageReceipt> {
  assert.ok(response.ok, `${response.status} ${response.ok ? "" : await response.text()}`);
  return (await response.json()) as ImageReceipt;
}

/** The error in an answer, held against HTTP-1. */
export async function errorOf(response: Response): Promise<ErrorBody & { status: number }> {
  const text = await response.text();
  const body = JSON.parse(text) as ErrorBody;
  assert.deepEqual(
    [typeof body.code, typeof body.detail, typeof body.retry, typeof body.facts],
    ["string", "string", "boolean", "object"],
  );
  assert.doesNotMatch(text, /\/tmp\/|node_modules|\bat .*\.js|\.ts:\d/);
  return { ...body, status: response.status };
}
