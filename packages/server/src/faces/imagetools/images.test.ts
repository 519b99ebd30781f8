/** Images of a session over a real server: in, out, and what is refused. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, formOf, type Json, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { MICROS, photo, picture, UUID } from "../../test/imagetools-pictures.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

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
});
