/** Changes of an image over a real server, and the way back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import sharp from "sharp";
import { call, formOf, type Json, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { MICROS, photo, picture, UUID } from "../../test/imagetools-pictures.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

describe("changes of an image", () => {
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
