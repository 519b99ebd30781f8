/** The image tools contract over a real server: sessions, images, their versions, and the sockets that hear of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp, { type Metadata } from "sharp";
import { call, formOf, type Json, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;
const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

async function picture(url: string): Promise<{ meta: Metadata; response: Response; bytes: Buffer }> {
  const response = await fetch(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, 200);
  return { meta: await sharp(bytes).metadata(), response, bytes };
}

/** A photo with a tall picture stored lying down, and tags of a camera. */
function photo(): Promise<Buffer> {
  return sharp(png(9, 640, 400))
    .withExif({ IFD0: { Make: "Cairn" }, IFD2: { FNumber: "28/10" } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
}

describe("sessions of images", () => {
  test("IMG-19..IMG-23 made, found, renewed, validated and deleted", async (t) => {
    const server = await testServer(t);
    const empty = await fetch(`${server.url}/api/v1/sessions`, { method: "POST" });
    const made = (await empty.json()) as Json;
    assert.equal(empty.status, 200);
    assert.match(String(made.id), UUID);
    assert.equal(made.user_id, null);
    assert.match(String(made.created_at), MICROS);
    const weekMs = Date.parse(`${made.expires_at}Z`) - Date.now();
    assert.ok(Math.abs(weekMs - 604_800_000) < 60_000);
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
    const long = await newSession(server, { ttl_seconds: 304 });
    const minute = await newSession(server, { ttl_seconds: 64 });
    const short = await newSession(server, { ttl_seconds: 4 });
    const image = await upload(server, short, png(1));
    const [patient, near, last] = [long, minute, short].map((id) => new Page(server, id)) as [Page, Page, Page];
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

describe("images of a session", () => {
  test("IMG-11 IMG-13 IMG-25..IMG-30 IMG-38 IMG-39 IMG-41 IMG-63 uploaded, told, shown, deleted", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const page = new Page(server, session);
    await page.of("connection.status");
    const body = await upload(server, session, await photo(), { source: "mobile" }, "../../häuser <b>.jpg");
    const { id, original_size, created_at, updated_at, ...rest } = body;
    const [told] = await page.of("image.uploaded");
    // Both addresses answer on receipt.
    const thumb = await picture(server.url + told!.data.thumbnail_url);
    const whole = await picture(server.url + told!.data.image_url);
    assert.match(String(id), UUID);
    assert.deepEqual(rest, {
      session_id: session,
      original_filename: "häuser <b>.jpg",
      current_size: original_size,
      width: 400,
      height: 640,
      format: "JPEG",
      thumbnail_url: `/api/v1/images/${id}/thumbnail`,
      image_url: `/api/v1/images/${id}/current`,
      source: "android_app",
    });
    assert.match(String(created_at), MICROS);
    assert.equal(created_at, updated_at);
    assert.deepEqual(told!.data, {
      image_id: id,
      filename: "häuser <b>.jpg",
      source: "android_app",
      thumbnail_url: rest.thumbnail_url,
      image_url: rest.image_url,
      width: 400,
      height: 640,
      size: original_size,
      session_id: session,
      client_id: null,
    });
    assert.deepEqual([thumb.meta.width, thumb.meta.height, thumb.meta.format], [188, 300, "jpeg"]);
    assert.equal(whole.response.headers.get("content-type"), "image/jpeg");
    assert.match(String(whole.response.headers.get("content-disposition")), /filename\*=UTF-8''h%C3%A4user/);
    const etag = String(whole.response.headers.get("etag"));
    const known = await fetch(server.url + rest.image_url, { headers: { "if-none-match": etag } });
    assert.equal(known.status, 304);
    const small = await upload(server, session, png(3, 40, 20));
    assert.equal((await picture(`${server.url}${small.thumbnail_url}`)).meta.width, 40);

    // The same picture twice makes two images, and each source is kept as it was said.
    const twin = await upload(server, session, png(3, 40, 20), { source: "cli" });
    assert.notEqual(twin.id, small.id);
    assert.deepEqual([small.source, twin.source], ["web", "cli"]);
    await page.of("image.uploaded", 3);
    const listed = (await call(server, "GET", `/images/session/${session}`)).body as unknown as Json[];
    assert.deepEqual(
      listed.map((each) => each.id),
      [twin.id, small.id, id],
    );
    assert.deepEqual((await call(server, "GET", "/images/session/nobody")).body, []);
    assert.deepEqual((await call(server, "GET", `/images/${id}`)).body, body);
    const inQuery = await call(
      server,
      "POST",
      `/images?session_id=${session}`,
      formOf({}, { bytes: png(5), name: "q" }),
    );
    assert.equal(inQuery.status, 200);
    const late = new FormData();
    late.set("file", new Blob([Uint8Array.from(png(6))]), "late.png");
    late.set("session_id", session);
    assert.equal((await call(server, "POST", "/images", late, { "x-client-id": "phone 7" })).status, 200);
    assert.equal((await page.of("image.uploaded", 5))[4]!.data.client_id, "phone 7");

    const gone = await call(server, "DELETE", `/images/${small.id}`);
    assert.deepEqual([gone.status, gone.body], [200, { success: true, message: "Image deleted" }]);
    const [deleted] = await page.of("image.deleted");
    assert.deepEqual(deleted!.data, { image_id: small.id, filename: "photo.png", session_id: session });
    for (const path of ["", "/current", "/thumbnail", "/exif"]) {
      const missing = await call(server, "GET", `/images/${small.id}${path}`);
      assert.deepEqual([missing.status, missing.body], [404, { detail: "Image not found" }]);
    }
    assert.equal((await call(server, "DELETE", `/images/${small.id}`)).status, 404);
    assert.equal((await call(server, "GET", `/images/${twin.id}`)).status, 200);
  });

  test("IMG-40 IMG-55..IMG-59 what is refused leaves nothing and tells nobody", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const page = new Page(server, session);
    await page.of("connection.status");
    const send = (fields: Record<string, string>, file?: { bytes: Uint8Array; name: string }) =>
      call(server, "POST", "/images", formOf(fields, file));
    const good = { bytes: png(1), name: "x.png" };
    const answers = [
      await send({ session_id: "nobody" }, good),
      await send({ session_id: session }),
      await send({}, good),
      await send({ session_id: session }, { bytes: Buffer.from("no image"), name: "x.jpg" }),
      await send({ session_id: session }, { bytes: png(1).subarray(0, 60), name: "x.png" }),
      await send({ session_id: session }, { bytes: Buffer.alloc(20 * 2 ** 20 + 1, 1), name: "x.png" }),
      await send({ session_id: session, source: "Bad Source" }, good),
      await call(server, "POST", "/images", { session_id: session }),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 422, 422, 400, 400, 413, 422, 422],
    );
    assert.deepEqual(
      [0, 3, 4, 5].map((i) => answers[i]!.body),
      ["Invalid or expired session", ...Array(2).fill("File is not a supported image"), "File too large"].map(
        (detail) => ({ detail }),
      ),
    );
    const [problem] = answers[1]!.body.detail as Json[];
    assert.deepEqual([problem?.type, problem?.loc], ["missing", ["body", "file"]]);
    for (let i = 0; i < 100; i++) await upload(server, session, png(i, 4, 4));
    const full = await send({ session_id: session }, good);
    assert.deepEqual([full.status, full.body], [400, { detail: "Maximum 100 images per session" }]);
    await page.of("image.uploaded", 100);
    assert.equal(page.events.length, 100);
  });

  test("IMG-12 IMG-31..IMG-35 IMG-60 rotated, flipped, resized, replaced; what cannot be done changes nothing", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const { id } = await upload(server, session, await photo(), {}, "photo.jpg");
    const page = new Page(server, session);
    await page.of("connection.status");
    const exif = await call(server, "GET", `/images/${id}/exif`);
    assert.equal(exif.body.image_id, id);
    assert.equal((exif.body.exif as Json).Make, "Cairn");

    const headers = { "x-client-id": "page 1" };
    const rotated = await call(server, "POST", `/images/${id}/rotate`, { degrees: 90 }, headers);
    const image_url = `/api/v1/images/${id}/current`;
    const current = await picture(server.url + image_url);
    assert.deepEqual(rotated.body, {
      image_id: id,
      degrees: 90,
      new_size: current.bytes.length,
      width: 640,
      height: 400,
      image_url,
    });
    assert.deepEqual([current.meta.width, current.meta.height, current.meta.format], [640, 400, "jpeg"]);
    // It lies as it is shown: no viewer turns it once more.
    assert.ok((current.meta.orientation ?? 1) === 1);
    const [updated] = await page.of("image.updated");
    assert.equal(updated!.data.operation, "rotate");
    assert.equal(updated!.data.client_id, "page 1");
    assert.equal(updated!.data.filename, "photo.jpg");
    const now = (await call(server, "GET", `/images/${id}`)).body;
    assert.equal(updated!.data.updated_at, now.updated_at);
    assert.deepEqual([now.current_size, now.width, now.height], [current.bytes.length, 640, 400]);
    assert.notEqual(now.current_size, now.original_size);

    const flipped = await call(server, "POST", `/images/${id}/flip`, { direction: "vertical" });
    assert.deepEqual([flipped.body.direction, flipped.body.width, flipped.body.height], ["vertical", 640, 400]);
    const resized = await call(server, "POST", `/images/${id}/resize`, { width: 100, height: 50 });
    const { new_size, ...sizes } = resized.body;
    assert.ok(Number(new_size) > 0);
    const wanted = {
      image_id: id,
      original_width: 640,
      original_height: 400,
      new_width: 100,
      new_height: 50,
      image_url,
    };
    assert.deepEqual(sizes, wanted);
    const edit = formOf({}, { bytes: png(4, 30, 20), name: "other.png" });
    const edited = await call(server, "POST", `/images/${id}/edit`, edit);
    assert.deepEqual([edited.body.format, edited.body.width, edited.body.id], ["PNG", 30, id]);

    const bad: [string, Json, number][] = [
      ["rotate", { degrees: 45 }, 400],
      ["flip", { direction: "diagonal" }, 400],
      ["resize", { width: 0, height: 10 }, 400],
      ["resize", { width: 16_385, height: 10 }, 400],
      ["resize", { width: 16_384, height: 16_384 }, 400],
      ["rotate", {}, 422],
      ["flip", { direction: 5 }, 422],
    ];
    for (const [name, body, status] of bad) {
      const refused = await call(server, "POST", `/images/${id}/${name}`, body);
      assert.equal(refused.status, status, name);
      assert.equal(typeof refused.body.detail, status === 400 ? "string" : "object");
      assert.equal((await call(server, "POST", `/images/nobody/${name}`, body)).status, 404);
    }
    await upload(server, session, png(2));
    await page.of("image.uploaded");
    assert.deepEqual(
      page.events.map(({ type, data }) => data.operation ?? type),
      ["rotate", "flip", "resize", "edit", "image.uploaded"],
    );
  });

  test("IMG-31 IMG-32 a picture is turned clockwise, and its sides change places", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    // Red at the left, blue at the right.
    const raw = { width: 2, height: 1, channels: 3 } as const;
    const two = await sharp(Buffer.from([255, 0, 0, 0, 0, 255]), { raw })
      .png()
      .toBuffer();
    const { id } = await upload(server, session, two);
    const pixels = async () => {
      const { bytes } = await picture(`${server.url}/api/v1/images/${id}/current`);
      return [...(await sharp(bytes).removeAlpha().raw().toBuffer())];
    };
    await call(server, "POST", `/images/${id}/flip`, { direction: "horizontal" });
    assert.deepEqual(await pixels(), [0, 0, 255, 255, 0, 0]);
    await call(server, "POST", `/images/${id}/rotate`, { degrees: 90 });
    assert.deepEqual(await pixels(), [0, 0, 255, 255, 0, 0]);
    await call(server, "POST", `/images/${id}/flip`, { direction: "vertical" });
    assert.deepEqual(await pixels(), [255, 0, 0, 0, 0, 255]);
    await call(server, "POST", `/images/${id}/rotate`, { degrees: 270 });
    assert.deepEqual(await pixels(), [255, 0, 0, 0, 0, 255]);
    assert.equal((await call(server, "GET", `/images/${id}`)).body.width, 2);
  });

  test("IMG-40 every format of the list is known by its content, changed and kept", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const source = sharp(png(1, 20, 10));
    const bmp = bmpOf(4, 2);
    const files: [string, Buffer][] = [
      ["JPEG", await source.clone().jpeg().toBuffer()],
      ["PNG", await source.clone().png().toBuffer()],
      ["WEBP", await source.clone().webp().toBuffer()],
      ["GIF", await source.clone().gif().toBuffer()],
      ["TIFF", await source.clone().tiff().toBuffer()],
      ["BMP", bmp],
    ];
    for (const [format, bytes] of files) {
      const image = await upload(server, session, bytes, {}, "lies.txt");
      assert.equal(image.format, format);
      const turned = await call(server, "POST", `/images/${image.id}/rotate`, { degrees: 90 });
      assert.equal(turned.status, 200, format);
      const after = (await call(server, "GET", `/images/${image.id}`)).body;
      assert.deepEqual([after.format, after.width], [format === "BMP" ? "PNG" : format, image.height]);
    }
  });

  test("IMG-36 many images as one archive", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const ids = [await upload(server, session, png(1)), await upload(server, session, png(2))].map(({ id }) => id);
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${server.url}/api/v1/images/download-zip`, {
      method: "POST",
      headers,
      body: JSON.stringify({ image_ids: ids }),
    });
    assert.equal(answer.headers.get("content-type"), "application/zip");
    const day = new Date().toISOString().slice(0, 10);
    assert.ok(answer.headers.get("content-disposition")?.includes(`Images-${day}.zip`));
    const zip = Buffer.from(await answer.arrayBuffer());
    assert.ok(
      zip.includes("photo.png") && zip.includes("photo (1).png") && zip.includes(png(1)) && zip.includes(png(2)),
    );
    const none = await call(server, "POST", "/images/download-zip", { image_ids: [] });
    assert.deepEqual([none.status, none.body], [400, { detail: "No images" }]);
    assert.equal((await call(server, "POST", "/images/download-zip", { image_ids: ["x"] })).status, 404);
  });

  test("IMG-37 every version can be gone back to, also after a restart", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const { id, original_size } = await upload(server, session, png(1, 40, 30));
    const history = async () => (await call(server, "GET", `/history/${id}`)).body as unknown as Json[];
    assert.deepEqual(await history(), []);
    assert.deepEqual((await call(server, "GET", `/history/${id}/can-undo`)).body, { can_undo: false });
    const nothing = await call(server, "POST", `/history/${id}/undo`);
    assert.deepEqual([nothing.status, nothing.body], [400, { detail: "Nothing to undo" }]);
    await call(server, "POST", `/images/${id}/rotate`, { degrees: 90 });
    await call(server, "POST", `/images/${id}/resize`, { width: 8, height: 6 });
    const [first, second] = await history();
    assert.match(String(first?.id), UUID);
    assert.match(String(first?.created_at), MICROS);
    assert.deepEqual(
      [first?.operation_type, first?.operation_params, first?.sequence],
      ["rotate", '{"degrees":90}', 1],
    );
    assert.deepEqual([second?.operation_type, second?.image_id, second?.sequence], ["resize", id, 2]);
    await server.restart();
    assert.deepEqual((await call(server, "GET", `/history/${id}/can-undo`)).body, { can_undo: true });
    const page = new Page(server, session);
    await page.of("connection.status");
    const image_url = `/api/v1/images/${id}/current`;
    const undone = await call(server, "POST", `/history/${id}/undo`);
    const size = first?.file_size;
    assert.deepEqual(undone.body, { image_id: id, reverted_to_sequence: 1, current_size: size, image_url });
    const original = await call(server, "POST", `/history/${id}/undo`);
    assert.deepEqual([original.body.reverted_to_sequence, original.body.current_size], [0, original_size]);
    assert.equal((await call(server, "POST", `/history/${id}/undo`)).status, 400);
    const restored = await call(server, "POST", `/history/${id}/restore`, { sequence: 2 });
    assert.equal(restored.body.reverted_to_sequence, 2);
    assert.equal((await call(server, "GET", `/images/${id}`)).body.width, 8);
    assert.equal((await call(server, "POST", `/history/${id}/restore`, { sequence: 9 })).status, 404);
    assert.equal((await call(server, "POST", `/history/${id}/restore`, {})).status, 422);
    const told = await page.of("image.updated", 3);
    assert.deepEqual(
      told.map(({ data }) => data.operation),
      ["undo", "undo", "restore"],
    );
    for (let i = 0; i < 11; i++) await call(server, "POST", `/images/${id}/flip`, { direction: "vertical" });
    assert.deepEqual(
      (await history()).map(({ sequence }) => sequence),
      [4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    );
    assert.equal((await call(server, "POST", `/history/${id}/restore`, { sequence: 4 })).status, 200);
    assert.equal((await call(server, "POST", `/history/${id}/restore`, { sequence: 3 })).status, 404);
    assert.equal((await call(server, "GET", "/history/nobody")).status, 404);
  });
});

/** An uncompressed picture, 24 bits a pixel. */
function bmpOf(width: number, height: number): Buffer {
  const row = Math.ceil((width * 3) / 4) * 4;
  const bytes = Buffer.alloc(54 + row * height, 128);
  bytes.fill(0, 0, 54);
  bytes.write("BM");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(54, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(width, 18);
  bytes.writeInt32LE(height, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(24, 28);
  bytes.writeUInt32LE(row * height, 34);
  return bytes;
}
