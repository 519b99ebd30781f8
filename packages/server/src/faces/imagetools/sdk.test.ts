/** The SDK's service of image tools over a real server that goes away and comes back. Rules IMG-64 to IMG-70. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freePort } from "@cairn/bus/test/ports";
import { ImageSession } from "@cairn/client/imagetools";
import { WebSocket } from "ws";
import { call, type Json, newSession, upload } from "../../test/imagetools-client.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

type Heard = Readonly<Record<string, unknown>>;

describe("the SDK's service of image tools", () => {
  test("IMG-69 what happened while the server was away is heard once, in order", async (t) => {
    const server = await testServer(t, { port: await freePort() });
    const session = await newSession(server);
    const service = new ImageSession({ url: server.url, WebSocket });
    t.after(() => service.disconnect());
    const uploaded: unknown[] = [];
    const statuses: unknown[] = [];
    let look = () => {};
    service.on("image.uploaded", ({ image_id }: Heard) => uploaded.push(image_id));
    service.on("connection.status", ({ status }: Heard) => statuses.push(status));
    service.on("*", () => look());
    const until = async (done: () => boolean) => {
      while (!done()) {
        await new Promise<void>((resolve) => {
          look = resolve;
        });
      }
    };
    service.connect(session);
    await until(() => statuses.length === 2);
    assert.equal(service.isConnected, true);
    const ids = [(await upload(server, session, png(1))).id];
    await until(() => uploaded.length === 1);
    await server.restart();
    ids.push((await upload(server, session, png(2))).id);
    await until(() => uploaded.length === 2);
    assert.deepEqual(uploaded, ids);
    assert.ok(statuses.includes("reconnecting"));
    assert.equal(service.reconnectAttempts, 0);
  });

  test("IMG-70 the same facts are to be had without a socket", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const from = (await call(server, "GET", `/sessions/${session}/events`)).body;
    assert.deepEqual(from.events, []);
    const image = await upload(server, session, png(1));
    await call(server, "POST", `/images/${image.id}/rotate`, { degrees: 90 });
    const page = (await call(server, "GET", `/sessions/${session}/events?after=${from.seq}`)).body;
    const events = page.events as Json[];
    assert.deepEqual(
      events.map(({ type, data }) => [type, (data as Json).image_id]),
      [
        ["image.uploaded", image.id],
        ["image.updated", image.id],
      ],
    );
    assert.equal(page.seq, events.at(-1)?.seq);
    const rest = (await call(server, "GET", `/sessions/${session}/events?after=${page.seq}`)).body;
    assert.deepEqual(rest, { events: [], seq: page.seq });
    assert.equal((await call(server, "GET", "/sessions/nobody/events")).status, 404);
  });

  test("IMG-69 a session that is over is not asked for again", async (t) => {
    const server = await testServer(t);
    const service = new ImageSession({ url: server.url, WebSocket });
    t.after(() => service.disconnect());
    const offline = new Promise<Heard>((resolve) => {
      service.on("connection.status", (data: Heard) => data.status === "offline" && resolve(data));
    });
    service.connect("nobody");
    assert.deepEqual(await offline, {
      status: "offline",
      session_id: "nobody",
      code: 4004,
      reason: "Invalid session",
    });
    assert.deepEqual([service.isConnected, service.isConnecting], [false, false]);
  });
});
