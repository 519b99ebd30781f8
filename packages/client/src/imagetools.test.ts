/** The service of image tools' pages over sockets and clocks that the test moves. Rules IMG-64 to IMG-70. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ImageSession, type ImageSessionOptions, type ImageSocket } from "./imagetools.ts";

class FakeSocket implements ImageSocket {
  readonly url: string;
  readonly sent: string[] = [];
  readyState = 0;
  closedWith: number | undefined;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(url: string) {
    this.url = url;
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(code?: number): void {
    this.closedWith = code;
    this.onclose?.({ code: code ?? 1000, reason: "" });
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message: object | string): void {
    this.onmessage?.({ data: typeof message === "string" ? message : JSON.stringify(message) });
  }

  fail(code = 1006): void {
    this.onerror?.();
    this.onclose?.({ code, reason: "" });
  }
}

function service(t: TestContext, options: ImageSessionOptions = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sockets: FakeSocket[] = [];
  const logged: unknown[] = [];
  const log = { warn: (...words: unknown[]) => logged.push(words), error: (...words: unknown[]) => logged.push(words) };
  class Socket extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  const session = new ImageSession({ url: "https://host.test/", WebSocket: Socket, log, ...options });
  const statuses: unknown[] = [];
  session.on("connection.status", ({ status }) => statuses.push(status));
  return { session, sockets, logged, statuses, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe("the service of image tools' pages", () => {
  test("IMG-64 IMG-65 one socket at the session's address, however often it is asked", (t) => {
    const { session, sockets } = service(t);
    assert.deepEqual([session.isConnected, session.isConnecting, session.reconnectAttempts], [false, false, 0]);
    session.connect("a b");
    session.connect("a b");
    assert.equal(sockets[0]?.url, "wss://host.test/api/v1/ws/a%20b");
    assert.deepEqual([session.isConnected, session.isConnecting], [false, true]);
    sockets[0]!.open();
    session.connect("a b");
    assert.deepEqual([session.isConnected, session.isConnecting, sockets.length], [true, false, 1]);
    for (const [url, wanted] of [
      ["http://h:1", "ws://h:1/api/v1/ws/x"],
      ["ws://h", "ws://h/api/v1/ws/x"],
      ["wss://h/imagetools", "wss://h/imagetools/api/v1/ws/x"],
    ] as const) {
      const made: string[] = [];
      class Seen extends FakeSocket {
        constructor(at: string) {
          super(at);
          made.push(at);
        }
      }
      new ImageSession({ url, WebSocket: Seen }).connect("x");
      assert.deepEqual(made, [wanted]);
    }
  });

  test("GEN-34 the token goes with the socket, in the address where it cannot be a subprotocol, and with each request", async (t) => {
    const made: unknown[] = [];
    class Seen extends FakeSocket {
      constructor(...given: [url: string, protocols?: string[]]) {
        super(given[0]);
        made.push(given);
      }
    }
    for (const token of ["plain", "a/b="]) new ImageSession({ url: "http://h", WebSocket: Seen, token }).connect("x");
    assert.deepEqual(made, [["ws://h/api/v1/ws/x", ["cairn.bearer", "plain"]], ["ws://h/api/v1/ws/x?token=a%2Fb%3D"]]);
    const asked: unknown[] = [];
    const fetch: typeof globalThis.fetch = async (_url, init) => {
      asked.push(new Headers(init?.headers).get("authorization"));
      return Response.json({ status: "healthy", events: [] });
    };
    const { session, pass } = service(t, { WebSocket: null, fetch, token: "a/b=" });
    session.connect("x");
    pass(30_000);
    while (asked.length < 2) await turn();
    assert.deepEqual(asked, ["Bearer a/b=", "Bearer a/b="]);
    session.disconnect();
  });

  test("IMG-66 typed handlers first, then those of everything; one that throws is logged", (t) => {
    const { session, sockets, logged } = service(t);
    const heard: unknown[] = [];
    const typed = (data: unknown) => heard.push(["typed", data]);
    session.on("*", (message) => heard.push(["all", message.type]));
    session.on("image.uploaded", () => {
      throw new Error("a handler's own");
    });
    session.on("image.uploaded", typed);
    session.on("image.uploaded", typed);
    session.connect("s");
    sockets[0]!.open();
    heard.length = 0;
    sockets[0]!.say({ type: "image.uploaded", seq: 3, data: { image_id: "i" } });
    assert.deepEqual(heard, [
      ["typed", { image_id: "i" }],
      ["all", "image.uploaded"],
    ]);
    assert.equal(logged.length, 1);
    session.off("image.uploaded", typed);
    sockets[0]!.say({ type: "image.uploaded", seq: 4, data: {} });
    assert.equal(heard.length, 3);
  });

  test("IMG-67 a ping every 30 s while it is open; pongs and what is not JSON are no messages", (t) => {
    const { session, sockets, logged, pass } = service(t);
    let heard = 0;
    session.on("*", () => heard++);
    session.connect("s");
    pass(60_000);
    assert.deepEqual(sockets[0]!.sent, []);
    sockets[0]!.open();
    pass(29_999);
    assert.deepEqual(sockets[0]!.sent, []);
    pass(1);
    pass(30_000);
    assert.deepEqual(sockets[0]!.sent, ["ping", "ping"]);
    heard = 0;
    sockets[0]!.say("pong");
    assert.equal(logged.length, 0);
    sockets[0]!.say("{nonsense");
    sockets[0]!.say("[1]");
    assert.deepEqual([heard, logged.length], [0, 2]);
    sockets[0]!.fail();
    pass(500);
    assert.equal(sockets[0]!.sent.length, 2);
  });

  test("IMG-68 IMG-69 it comes back after 1, 2, 4, 8 and 16 s, asks for what it missed, and then gives up", (t) => {
    const { session, sockets, statuses, pass } = service(t, { fetch: () => Promise.reject(new Error("down")) });
    session.connect("s");
    sockets[0]!.open();
    sockets[0]!.say({ type: "image.uploaded", seq: 7, data: {} });
    sockets[0]!.fail();
    for (const [i, seconds] of [1, 2, 4, 8, 16].entries()) {
      assert.equal(session.reconnectAttempts, i + 1);
      pass(seconds * 1000 - 1);
      assert.equal(sockets.length, i + 1);
      pass(1);
      assert.equal(sockets.length, i + 2);
      assert.ok(sockets[i + 1]!.url.endsWith("/ws/s?after=7"));
      if (i < 4) sockets[i + 1]!.fail();
    }
    // An open one begins to count anew.
    sockets[5]!.open();
    assert.equal(session.reconnectAttempts, 0);
    for (let i = 5; i < 11; i++) {
      sockets[i]!.fail();
      pass(16_000);
    }
    assert.deepEqual([sockets.length, session.isConnecting], [11, false]);
    assert.deepEqual(statuses, [
      "connected",
      ...Array(5).fill("reconnecting"),
      "connected",
      ...Array(5).fill("reconnecting"),
      "offline",
    ]);
  });

  test("IMG-69 leaving cancels what waits; a session that is not there is not asked for again", (t) => {
    const { session, sockets, statuses, pass } = service(t);
    session.connect("s");
    sockets[0]!.fail();
    session.disconnect();
    pass(100_000);
    assert.equal(sockets.length, 1);
    session.connect("s");
    sockets[1]!.open();
    session.disconnect();
    assert.equal(sockets[1]!.closedWith, 1000);
    pass(100_000);
    assert.deepEqual([sockets.length, sockets[1]!.sent, session.isConnected], [2, [], false]);
    for (const [i, code] of [4001, 4003, 4004].entries()) {
      session.connect("s");
      sockets[2 + i]!.open();
      sockets[2 + i]!.fail(code);
      pass(100_000);
      assert.deepEqual([sockets.length, statuses.at(-1)], [3 + i, "offline"]);
    }
  });

  test("IMG-70 without a socket it asks for health: every 30 s, less often while it fails; and hears what happened", async (t) => {
    const asked: string[] = [];
    let healthy = true;
    const events = [{ type: "image.uploaded", seq: 4, data: { image_id: "i" } }];
    const fetch = (async (url: string) => {
      asked.push(url.replace("https://host.test", ""));
      if (!healthy) throw new Error("down");
      return Response.json(url.includes("/events") ? { events, seq: 5 } : { status: "healthy" });
    }) as typeof globalThis.fetch;
    const { session, statuses, pass } = service(t, { WebSocket: null, fetch });
    const uploaded: unknown[] = [];
    const health: unknown[] = [];
    session.on("image.uploaded", ({ image_id }) => uploaded.push(image_id));
    session.on("health", (data) => health.push(data.healthy));
    session.connect("s");
    assert.deepEqual(statuses, ["offline"]);
    const step = async (ms: number) => {
      asked.length = 0;
      pass(ms);
      for (let i = 0; i < 5; i++) await turn();
      return asked.length > 0;
    };
    assert.equal(await step(29_999), false);
    assert.equal(await step(1), true);
    assert.deepEqual(asked, ["/health", "/api/v1/sessions/s/events"]);
    assert.deepEqual(uploaded, ["i"]);
    healthy = false;
    assert.equal(await step(30_000), true);
    for (const seconds of [60, 120, 240, 300, 300]) {
      assert.equal(await step(seconds * 1000 - 1), false);
      assert.equal(await step(1), true, `${seconds} s`);
    }
    healthy = true;
    await step(300_000);
    assert.deepEqual(asked, ["/health", "/api/v1/sessions/s/events?after=5"]);
    assert.equal(await step(30_000), true);
    assert.deepEqual(health, [true, ...Array(6).fill(false), true, true]);
    session.disconnect();
    assert.equal(await step(300_000), false);
  });

  test("IMG-70 asked to connect again while an answer is out, it goes on asking once", async (t) => {
    const answers: ((response: Response) => void)[] = [];
    const fetch: typeof globalThis.fetch = () => new Promise((resolve) => answers.push(resolve));
    const { session, pass } = service(t, { WebSocket: null, fetch });
    session.connect("s");
    pass(30_000);
    assert.equal(answers.length, 1);
    session.connect("s");
    answers[0]!(new Response(null, { status: 503 }));
    for (let i = 0; i < 5; i++) await turn();
    pass(30_000);
    assert.equal(answers.length, 2);
    session.disconnect();
  });
});
