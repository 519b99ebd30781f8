/** Sessions of image tools over a real server, and the sockets that hear of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, formOf, type Json, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { MICROS, SECONDS, UUID } from "../../test/imagetools-pictures.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

describe("sessions of images", () => {
  test("IMG-19..IMG-23 made, found, renewed, validated and deleted", async (t) => {
    const server = await testServer(t);
    const empty = await fetch(`${server.url}/api/v1/sessions`, { method: "POST" });
    const made = (await empty.json()) as Json;
    assert.equal(empty.status, 200);
    assert.match(String(made.id), UUID);
    assert.equal(made.user_id, null);
    assert.match(String(made.created_at), MICROS);
    assert.ok(Math.abs(Date.parse(`${made.created_at}Z`) - Date.now()) < 60_000);
    const [start, end] = [made.created_at, made.expires_at].map((text) => [
      Date.parse(`${text}Z`),
      String(text).slice(-3),
    ]) as [[number, string], [number, string]];
    assert.deepEqual([end[0] - start[0], end[1]], [604_800_000, start[1]], "to the microsecond");
    const json = { "content-type": "application/json" };
    const none = await fetch(`${server.url}/api/v1/sessions`, { method: "POST", headers: json });
    assert.equal(none.status, 200);

    const fields = { user_id: "u1", custom_session_id: "my.session-1", ttl_seconds: 600 };
    const own = await call(server, "POST", "/sessions", fields);
    assert.deepEqual([own.body.id, own.body.user_id], ["my.session-1", "u1"]);
    const image = await upload(server, "my.session-1", png(1));
    const again = await call(server, "POST", "/sessions", { ...fields, ttl_seconds: 3600 });
    assert.equal(again.status, 200);
    assert.equal(again.body.created_at, own.body.created_at);
    const moreMs = Date.parse(String(again.body.expires_at)) - Date.parse(String(own.body.expires_at));
    assert.ok(moreMs > 2_900_000);
    assert.deepEqual((await call(server, "GET", "/sessions/my.session-1")).body, again.body);
    const listed = await call(server, "GET", "/images/session/my.session-1");
    assert.deepEqual(listed.body, [image]);

    assert.deepEqual((await call(server, "GET", "/sessions/my.session-1/validate")).body, { valid: true });
    assert.deepEqual((await call(server, "GET", "/sessions/nobody/validate")).body, { valid: false });
    const unknown = await call(server, "GET", "/sessions/nobody");
    assert.deepEqual([unknown.status, unknown.body], [404, { detail: "Session not found" }]);
    for (const bad of ["a/b", "", "x".repeat(129), "sp ace", "phone"]) {
      assert.equal((await call(server, "POST", "/sessions", { custom_session_id: bad })).status, 422, bad);
    }
    for (const bad of [0, 2_592_001, "soon", 1.5]) {
      assert.equal((await call(server, "POST", "/sessions", { ttl_seconds: bad })).status, 422, String(bad));
    }

    const page = new Page(server, "my.session-1");
    await page.of("connection.status");
    const gone = await call(server, "DELETE", "/sessions/my.session-1");
    assert.deepEqual([gone.status, gone.body], [200, { success: true, message: "Session deleted" }]);
    assert.equal((await page.closed).code, 1000);
    assert.equal((await call(server, "DELETE", "/sessions/my.session-1")).status, 404);
    assert.equal((await call(server, "GET", `/images/${image.id}`)).status, 404);
  });

  test("IMG-15 IMG-2 IMG-24 a session warns before it ends, ends, and is shown afterwards", async (t) => {
    const server = await testServer(t);
    await upload(server, await newSession(server), png(1)); // what is started for the first image takes a while
    /** One whose page is there, and image where wanted, before 3 of its last 4 s are over: another if that took longer. */
    const begun = async (ttl_seconds: number, withImage = false): Promise<{ id: string; page: Page; image: Json }> => {
      for (;;) {
        const beganMs = performance.now();
        const id = await newSession(server, { ttl_seconds });
        const page = new Page(server, id);
        await Promise.race([page.of("connection.status"), page.closed]);
        const form = formOf({ session_id: id }, { bytes: png(1), name: "photo.png" });
        const { status, body } = withImage ? await call(server, "POST", "/images", form) : { status: 200, body: {} };
        if (status === 200 && performance.now() - beganMs < 3000) return { id, page, image: body };
      }
    };
    const { id: long, page: patient } = await begun(304);
    const { page: near } = await begun(64);
    const { id: short, page: last, image } = await begun(4, true);
    const [soon] = await last.of("session.expiring");
    assert.ok(Number(soon!.data.seconds_left) <= 4);
    assert.equal(last.heard[0]?.type, "connection.status");
    assert.deepEqual(await last.closed, { code: 4004, reason: "Session expired" });
    const late = new Page(server, short);
    assert.deepEqual(await late.closed, { code: 4004, reason: "Session expired" });
    assert.deepEqual(late.texts, []);
    assert.equal((await call(server, "GET", `/sessions/${short}`)).status, 200);
    assert.deepEqual((await call(server, "GET", `/sessions/${short}/validate`)).body, { valid: false });
    assert.equal((await call(server, "GET", `/images/${image.id}`)).status, 200);
    const refused = { detail: "Invalid or expired session" };
    const form = formOf({ session_id: short }, { bytes: png(2), name: "x.png" });
    const tries = [
      await call(server, "POST", "/images", form),
      await call(server, "POST", "/operations", { session_id: short, operation_type: "bulk_delete" }),
      await call(server, "POST", `/images/${image.id}/rotate`, { degrees: 90 }),
    ];
    for (const { status, body } of tries) assert.deepEqual([status, body], [401, refused]);

    const [first] = await patient.of("session.expiring");
    assert.equal(first!.data.seconds_left, 300);
    assert.equal(first!.data.session_id, long);
    assert.match(String(first!.data.expires_at), MICROS);
    const [coming, minuteLeft] = await near.of("session.expiring", 2);
    assert.ok(Number(coming!.data.seconds_left) > 60 && Number(coming!.data.seconds_left) <= 64);
    assert.equal(minuteLeft!.data.seconds_left, 60);
    // Renewed, an ended session takes images again.
    const custom = { custom_session_id: short, ttl_seconds: 60 };
    assert.equal((await call(server, "POST", "/sessions", custom)).status, 200);
    await upload(server, short, png(3));
  });

  test("IMG-1..IMG-10 IMG-16 IMG-17 the socket: status, counts, bare pings, errors, and nobody else's events", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const other = await newSession(server);
    const unknown = new Page(server, "nobody");
    assert.deepEqual(await unknown.closed, { code: 4004, reason: "Invalid session" });
    assert.deepEqual(unknown.texts, []);

    const page = new Page(server, session);
    const [status] = await page.of("connection.status");
    assert.equal(page.heard[0], status);
    assert.match(status!.timestamp, SECONDS);
    const { expires_at, ...facts } = status!.data;
    assert.match(String(expires_at), MICROS);
    const seq = status!.seq;
    assert.deepEqual(facts, { status: "connected", session_id: session, active_connections: 1, seq });
    const second = new Page(server, session, "", "/imagetools/api/v1/ws/");
    const counts = (of: Page) => of.heard.filter(({ type }) => type === "connection.status").map(({ data }) => data);
    await page.of("connection.status", 2);
    await second.of("connection.status");
    assert.equal(counts(page)[1]?.active_connections, 2);
    assert.equal(counts(second)[0]?.active_connections, 2);
    const stranger = new Page(server, other);
    await stranger.of("connection.status");

    await page.tell("ping", " ping\n", "hello", '{"type":"dance"}', "[1]", Buffer.from("ping"), `{"type":5}`);
    const errors = await page.of("error", 5);
    assert.equal(page.texts.filter((text) => text === "pong").length, 2);
    assert.deepEqual(
      errors.map(({ data }) => data.message),
      [
        "Unknown message",
        "Unknown message type: dance",
        "Unknown message",
        "Binary messages are not accepted here",
        "Unknown message type: null",
      ],
    );
    assert.match(errors[0]!.timestamp, SECONDS);
    assert.equal(second.texts.includes("pong"), false);

    for (let i = 0; i < 3; i++) await upload(server, session, png(i), { client_id: "me" });
    const [mine, theirs] = [await page.of("image.uploaded", 3), await second.of("image.uploaded", 3)];
    assert.deepEqual(mine, theirs);
    assert.equal(mine[0]!.data.client_id, "me");
    assert.deepEqual([stranger.events, unknown.heard], [[], []]);

    second.ws.terminate();
    await page.of("connection.status", 3);
    assert.equal(counts(page)[2]?.active_connections, 1);

    // What was missed comes after the status, in order and once.
    const back = new Page(server, session, `?after=${mine[0]!.seq}`);
    await back.of("image.uploaded", 2);
    assert.equal(back.heard[0]?.type, "connection.status");
    assert.deepEqual(back.events, mine.slice(1));
    const fresh = new Page(server, session);
    await fresh.of("connection.status");
    await upload(server, session, png(7));
    await fresh.of("image.uploaded");
    assert.equal(fresh.events.length, 1);
  });

  test("IMG-18 the flat dialect: a ping at once, and every upload", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const flat = new Page(server, "", `?session_id=${session}`, "/ws");
    const [ping] = await flat.of("ping");
    assert.equal(typeof ping!.timestamp, "number");
    await flat.tell("pong", '{"type":"pong"}');
    const first = await upload(server, session, png(1), { source: "android_app" });
    const second = await upload(server, session, png(2), { source: "addon" });
    const third = await upload(server, session, png(3));
    await flat.of("new_image", 3);
    assert.deepEqual(
      flat.heard.filter(({ type }) => type !== "ping"),
      [
        { type: "new_image", image_id: first.id, source: "mobile" },
        { type: "new_image", image_id: second.id, source: "addon" },
        { type: "new_image", image_id: third.id, source: "web" },
      ],
    );
    for (const query of ["", "?user_id=u", "?session_id=nobody"]) {
      assert.equal((await new Page(server, "", query, "/ws").closed).code, 4004, query);
    }
  });
});
