/** The SDK's depth session over slow and broken lines that the test moves. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DepthRefused, DepthSession } from "./depth.ts";

type Line = {
  bufferedAmount: number;
  readyState: number;
  say(message: object): void;
  /** Where it is one of `ws`, the server's ping is heard. */
  ping(): void;
  end(): void;
};

/** A session with no photos, on lines that take in what a test lets them. @param passed is done with each second */
function session(t: TestContext, passed: (line: Line, images: number) => void) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  const lines: Line[] = [];
  let images = 0;
  class Socket implements Line {
    binaryType = "";
    readyState = 1;
    bufferedAmount = 0;
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    onerror: (() => void) | null = null;

    constructor() {
      lines.push(this);
      queueMicrotask(() => this.say({ type: "connected", image_count: 0 }));
    }

    send(text: string): void {
      this.bufferedAmount += text.length;
      if (text.includes('"image"')) images++;
    }

    on(_event: "ping", listener: () => void): void {
      this.ping = listener;
    }

    ping(): void {}

    say(message: object): void {
      this.onmessage?.({ data: JSON.stringify(message) });
    }

    end(): void {
      this.readyState = 3;
      this.onclose?.({ code: 1006, reason: "" });
    }

    close(): void {
      this.readyState = 3;
    }
  }
  const depth = new DepthSession({ url: "http://x", WebSocket: Socket, backoff: { random: () => 0 } }, "id");
  t.after(() => depth.close());
  return {
    depth,
    lines,
    /** How often a photo was begun to be sent. */
    images: () => images,
    async pass(seconds: number): Promise<void> {
      for (let s = 0; s < seconds; s++) {
        await turn();
        nowMs += 1000;
        t.mock.timers.tick(1000);
        for (const line of lines) if (line.readyState === 1) passed(line, images);
      }
      await turn();
    },
  };
}

test("DEP-15 a photo that takes minutes to send is sent once, and a line on which nothing moves is given up", async (t) => {
  const bytesPerS = 100;
  let deaf = false;
  const { depth, lines, images, pass } = session(t, (line) => {
    const left = line.bufferedAmount - bytesPerS;
    line.bufferedAmount = Math.max(0, left);
    if (left <= 0 && !deaf) line.say({ type: "ack", image_count: 1, image_path: "a.jpg" });
  });
  const stored = depth.image(new Uint8Array(15_000), "a.jpg");
  await pass(300);
  assert.deepEqual([lines.length, images()], [1, 1]);
  assert.equal(await stored, "a.jpg");
  // What takes the pings is the machine itself.
  deaf = true;
  await pass(80);
  assert.equal(lines[0]!.readyState, 3);
});

test("DEP-15 a photo at which the line breaks each time is given up, and is no refused one", async (t) => {
  const { depth, images, pass } = session(t, (line) => {
    if (line.bufferedAmount > 1000) line.end();
  });
  const sent = depth.image(new Uint8Array(15_000), "a.jpg").catch((error: unknown) => error);
  await pass(60);
  const error = await Promise.race([sent, "still at it"]);
  assert.ok(error instanceof Error && !(error instanceof DepthRefused), String(error));
  assert.equal(error.message, "the connection broke 5 times while a photo was sent");
  assert.equal(images(), 5);
});

test("DEP-15 in Node, where a photo leaves all at once in the end, the server's pings are signs of life", async (t) => {
  let seconds = 0;
  const { depth, lines, images, pass } = session(t, (line) => {
    seconds++;
    if (seconds % 20 === 0) line.ping();
    if (seconds === 200) line.say({ type: "ack", image_count: 1, image_path: "a.jpg" });
  });
  const stored = depth.image(new Uint8Array(15_000), "a.jpg");
  await pass(210);
  assert.deepEqual([lines.length, images()], [1, 1]);
  assert.equal(await stored, "a.jpg");
});
