import assert from "node:assert/strict";
import { test } from "node:test";
import { openSocket } from "./open-socket.ts";

test("GEN-34 a token is a subprotocol, and in the address only where a browser would throw at it", () => {
  class Opened {
    readonly said: readonly unknown[];
    constructor(...said: unknown[]) {
      this.said = said;
    }
  }
  const said = (url: string, token?: string) => openSocket(Opened, url, token).said;
  assert.deepEqual(said("ws://a/ws"), ["ws://a/ws"]);
  assert.deepEqual(said("ws://a/ws", "abc.~-_+x"), ["ws://a/ws", ["cairn.bearer", "abc.~-_+x"]]);
  assert.deepEqual(said("ws://a/ws", "ab/c+d=="), ["ws://a/ws?token=ab%2Fc%2Bd%3D%3D"]);
  assert.deepEqual(said("ws://a/ws?gop=0", "ab="), ["ws://a/ws?gop=0&token=ab%3D"]);
});
