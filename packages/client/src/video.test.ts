/** A socket of live video that dies without a word. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Video } from "./video.ts";

class FakeSocket {
  binaryType = "";
  readyState = 1;
  readonly sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }
}

test("STR-11 a line on which nothing is heard is asked for a sign of life, and made anew when none comes", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sockets: FakeSocket[] = [];
  class Socket extends FakeSocket {
    constructor() {
      super();
      sockets.push(this);
    }
  }
  const backoff = { random: () => 0 };
  const address = { url: () => "ws://x", token: undefined, WebSocket: Socket };
  const consumer = new Video(address).consume("cam", { backoff, silenceMs: 1000 });
  const statuses: string[] = [];
  consumer.on("status", (status) => statuses.push(status));
  const [first] = sockets;
  first!.onopen!();
  t.mock.timers.tick(900);
  first!.onmessage!({ data: '{"type":"video","source":"cam"}' });
  t.mock.timers.tick(999);
  assert.deepEqual(first!.sent, []);
  t.mock.timers.tick(1);
  assert.deepEqual(first!.sent, ['{"type":"ping"}']);
  first!.onmessage!({ data: '{"type":"pong"}' });
  t.mock.timers.tick(1000);
  t.mock.timers.tick(499);
  assert.deepEqual([first!.sent.length, sockets.length], [2, 1]);
  t.mock.timers.tick(1);
  t.mock.timers.tick(0);
  assert.deepEqual([first!.readyState, sockets.length, statuses], [3, 2, ["live", "connecting"]]);
  assert.equal(first!.onclose, null, "its end is not heard as the new one's");
  consumer.close();
  t.mock.timers.tick(10_000);
  assert.deepEqual([sockets.length, consumer.status], [2, "off"]);
});
