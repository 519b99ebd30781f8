/** Long operations of image tools, and compression, over a real server; one of them is killed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import sharp from "sharp";
import { call, type Json, newSession, Page, upload } from "../../test/imagetools-client.ts";
import { png } from "../../test/png.ts";
import { startProcess } from "../../test/start-process.ts";
import { testServer } from "../../test/test-server.ts";

const CUSTOM = { preset: "custom", quality: 60, max_width: 100, max_height: 100, format: "JPEG" };

describe("operations on many images", () => {
  test("IMG-14 IMG-42..IMG-50 compressing all of a session: started, each image, each step, one end", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const ids: unknown[] = [];
    for (let i = 0; i < 4; i++) ids.push((await upload(server, session, png(i, 160, 120))).id);
    const page = new Page(server, session);
    await page.of("connection.status");
    const asked = await call(server, "POST", "/operations", {
      session_id: session,
      operation_type: "bulk_compress",
      params: CUSTOM,
    });
    assert.equal(asked.status, 202);
    const { operation_id, ...answer } = asked.body;
    assert.deepEqual(answer, {
      operation_type: "bulk_compress",
      session_id: session,
      status: "pending",
      progress: 0,
      current: 0,
      total: 4,
    });
    const [started] = await page.of("operation.started");
    const seen = await call(server, "GET", `/operations/${operation_id}`);
    assert.equal(seen.status, 200);
    assert.equal(started!.data.message, "Compressing 4 images...");
    const [completed] = await page.of("operation.completed");
    assert.deepEqual(
      page.events.map(({ type, data }) => [type, data.current ?? data.operation ?? data.total]),
      [
        ["operation.started", 4],
        ...[1, 2, 3, 4].flatMap((current) => [
          ["image.updated", "compress"],
          ["operation.progress", current],
        ]),
        ["operation.completed", 4],
      ],
    );
    const second = page.events[4]!.data;
    assert.deepEqual([second.progress, second.message], [50, "Compressing image 2 of 4..."]);
    for (const { data } of page.events.filter(({ type }) => type.startsWith("operation"))) {
      assert.deepEqual([data.operation_id, data.operation_type], [operation_id, "bulk_compress"]);
    }
    const result = completed!.data.result as Json;
    assert.deepEqual([completed!.data.progress, result.succeeded, result.failed], [100, 4, []]);
    assert.ok(Number(result.new_size) < Number(result.original_size));
    const record = (await call(server, "GET", `/operations/${operation_id}`)).body;
    const { created_at, finished_at, ...rest } = record;
    assert.match(String(created_at) + String(finished_at), /^(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}){2}$/);
    assert.deepEqual(rest, {
      ...completed!.data,
      status: "completed",
      error: null,
      message: completed!.data.message,
    });
    const listed = await call(server, "GET", `/operations?session_id=${session}`);
    assert.deepEqual(listed.body, [record]);
    const unknown = await call(server, "GET", "/operations/nobody");
    assert.deepEqual([unknown.status, unknown.body], [404, { detail: "Operation not found" }]);

    // Some of them, by the older door; then the other kinds.
    const bulk = await call(server, "POST", "/compression/bulk", {
      session_id: session,
      image_ids: ids.slice(0, 2),
      preset: "email",
    });
    assert.deepEqual([bulk.status, bulk.body.operation_type, bulk.body.total], [202, "bulk_compress", 2]);
    await page.of("operation.completed", 2);
    for (const [operation_type, params] of [
      ["bulk_rotate", { degrees: 90 }],
      ["bulk_resize", { width: 10, height: 20 }],
      ["bulk_delete", {}],
    ] as const) {
      const one = await call(server, "POST", "/operations", { session_id: session, operation_type, params });
      assert.equal(one.status, 202, operation_type);
    }
    const ends = await page.of("operation.completed", 5);
    assert.deepEqual(ends.map(({ data }) => (data.result as Json).succeeded).slice(1), [2, 4, 4, 4]);
    await page.of("image.deleted", 4);
    assert.deepEqual((await call(server, "GET", `/images/session/${session}`)).body, []);
  });

  test("IMG-49 IMG-51 IMG-47 one bad image is told and the others go on; all bad fails; cancelling keeps what is done", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const ids: string[] = [];
    for (const bytes of [png(0), png(1)]) ids.push(String((await upload(server, session, bytes)).id));
    const page = new Page(server, session);
    await page.of("connection.status");
    const body = { session_id: session, operation_type: "bulk_compress", params: CUSTOM };
    // The last one is deleted while others are at work; where the machine was quicker with all of them, it is tried again.
    for (let attempt = 1; ; attempt++) {
      const extra = String((await upload(server, session, await large(attempt), {}, "large.jpg")).id);
      const some = await call(server, "POST", "/operations", { ...body, image_ids: [...ids, extra] });
      assert.equal(some.body.total, 3);
      await call(server, "DELETE", `/images/${extra}`);
      const completed = (await page.of("operation.completed", attempt)).at(-1);
      const { failed, succeeded } = completed!.data.result as { failed: Json[]; succeeded: number };
      if (succeeded === 3) continue;
      assert.equal(succeeded, 2);
      assert.deepEqual([failed.length, failed[0]?.image_id, typeof failed[0]?.error], [1, extra, "string"]);
      break;
    }

    // Noise of this size takes a while to pack: there is time to cancel.
    for (let i = 10; i < 14; i++) await upload(server, session, await large(i), {}, "large.jpg");
    const webp = { preset: "custom", quality: 90, max_width: 16_384, max_height: 16_384, format: "WEBP" };
    let id: unknown;
    let cancelled: Awaited<ReturnType<typeof call>>;
    let before = 0;
    do {
      before = page.events.length;
      const long = await call(server, "POST", "/operations", { ...body, params: webp });
      id = long.body.operation_id;
      await page.until(() =>
        page.events.find(({ type, data }) => type === "operation.progress" && data.operation_id === id),
      );
      cancelled = await call(server, "DELETE", `/operations/${id}`);
    } while (cancelled.status === 409); // the machine was quicker with all of them
    assert.deepEqual([cancelled.status, cancelled.body.status, cancelled.body.operation_id], [200, "cancelled", id]);
    const [failed] = await page.of("operation.failed");
    assert.deepEqual([failed!.data.error, failed!.data.cancelled, failed!.data.operation_id], ["Cancelled", true, id]);
    const kept = page.events.slice(before).filter(({ type }) => type === "image.updated").length;
    assert.ok(kept > 0 && Number(failed!.data.current) < 6, `${kept} kept, ${failed!.data.current} done`);
    const twice = await call(server, "POST", `/operations/${id}/cancel`);
    assert.deepEqual([twice.status, twice.body], [409, { detail: "Operation already finished" }]);
    assert.equal((await call(server, "DELETE", "/operations/nobody")).status, 404);
  });

  test("IMG-61 IMG-62 what cannot be done is refused before it begins", async (t) => {
    const server = await testServer(t);
    const [session, other, empty] = [await newSession(server), await newSession(server), await newSession(server)];
    await upload(server, session, png(1));
    const foreign = await upload(server, other, png(2));
    const page = new Page(server, session);
    await page.of("connection.status");
    const rotate = { session_id: session, operation_type: "bulk_rotate", params: { degrees: 90 } };
    const cases: [Json, number, unknown][] = [
      [{ ...rotate, operation_type: "bulk_dance" }, 422, undefined],
      [{ ...rotate, image_ids: [] }, 400, "No images"],
      [{ ...rotate, session_id: empty }, 400, "No images"],
      [{ ...rotate, image_ids: [foreign.id] }, 404, "Image not found"],
      [{ ...rotate, session_id: "nobody" }, 401, "Invalid or expired session"],
      [{ ...rotate, params: { degrees: 45 } }, 400, "Degrees must be 90, 180 or 270"],
      [{ operation_type: "bulk_rotate" }, 422, undefined],
      [{ ...rotate, operation_type: "bulk_compress", params: { preset: "tiny" } }, 422, undefined],
    ];
    for (const [body, status, detail] of cases) {
      const answer = await call(server, "POST", "/operations", body);
      assert.equal(answer.status, status, JSON.stringify(body));
      if (detail !== undefined) assert.deepEqual(answer.body, { detail });
      else assert.ok(Array.isArray(answer.body.detail));
    }
    assert.deepEqual(page.events, []);
    // Only what is optional may be left out: how to compress, which is then as for a web page.
    const usual = await call(server, "POST", "/operations", { session_id: session, operation_type: "bulk_compress" });
    assert.deepEqual([usual.status, usual.body.total], [202, 1]);
    const preset = await call(server, "POST", "/compression/bulk", { session_id: session });
    assert.equal(preset.status, 422);
    const [updated] = await page.of("image.updated");
    const shown = await call(server, "GET", `/images/${updated!.data.image_id}`);
    assert.deepEqual([updated!.data.operation, shown.body.format], ["compress", "JPEG"]);
  });

  test("IMG-52 an operation goes on after kill -9 where it was, and no image is done twice", async (t) => {
    const { dataDir, close, ...first } = await testServer(t);
    const session = await newSession(first);
    for (let i = 0; i < 5; i++) await upload(first, session, await large(i), {}, "large.jpg");
    await close();
    let { child, url } = await startProcess(dataDir);
    t.after(() => child.kill("SIGKILL"));
    const body = { session_id: session, operation_type: "bulk_compress", params: { ...CUSTOM, format: "WEBP" } };
    const page = new Page({ url }, session);
    await page.of("connection.status");
    const asked = await call({ url }, "POST", "/operations", body);
    await page.of("operation.progress", 2);
    child.kill("SIGKILL");
    await once(child, "exit");
    ({ child, url } = await startProcess(dataDir));
    const again = new Page({ url }, session, "?after=0");
    const [completed] = await again.of("operation.completed");
    assert.equal(completed!.data.operation_id, asked.body.operation_id);
    const steps = again.events.filter(({ type }) => type !== "image.uploaded");
    assert.deepEqual(
      steps.map(({ type, data }) => data.current ?? type),
      ["operation.started", ...[1, 2, 3, 4, 5].flatMap((current) => ["image.updated", current]), 5],
    );
    const changed = steps.filter(({ type }) => type === "image.updated").map(({ data }) => data.image_id);
    assert.equal(new Set(changed).size, 5);
    assert.equal((completed!.data.result as Json).succeeded, 5);
  });
});

describe("compression", () => {
  test("IMG-53 IMG-54 presets and own wishes: never enlarged, in the format asked for, towards the target", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const { presets } = (await call(server, "GET", "/compression/presets")).body as { presets: Json[] };
    assert.deepEqual(
      presets.map(({ name, max_width, max_height, quality, target_size_kb, format }) => [
        name,
        max_width,
        max_height,
        quality,
        target_size_kb,
        format,
      ]),
      [
        ["email", 800, 800, 85, 500, "JPEG"],
        ["web", 1920, 1920, 90, 500, "JPEG"],
        ["web_hq", 2560, 2560, 95, 1000, "WEBP"],
      ],
    );
    assert.ok(presets.every(({ label, description }) => typeof label === "string" && typeof description === "string"));
    const image = await upload(server, session, png(1, 1000, 600));
    const email = await call(server, "POST", `/compression/${image.id}`, { preset: "email" });
    const { original_size, compressed_size, compression_ratio, ...rest } = email.body;
    assert.deepEqual(rest, { image_id: image.id, image_url: image.image_url });
    assert.equal(original_size, image.original_size);
    const saved = 100 * (1 - Number(compressed_size) / Number(original_size));
    assert.equal(compression_ratio, Math.round(saved * 100) / 100);
    const now = (await call(server, "GET", `/images/${image.id}`)).body;
    assert.deepEqual([now.width, now.height, now.format, now.current_size], [800, 480, "JPEG", compressed_size]);
    assert.ok(Number(compressed_size) <= 500 * 1024);
    const hq = await call(server, "POST", `/compression/${image.id}`, { preset: "web_hq" });
    assert.equal(hq.status, 200);
    assert.deepEqual(
      [(await call(server, "GET", `/images/${image.id}`)).body].map(({ width, format }) => [width, format]),
      [[800, "WEBP"]],
    );
    const target = {
      preset: "custom",
      quality: 95,
      max_width: 800,
      max_height: 800,
      format: "JPEG",
      target_size_kb: 120,
    };
    const aimed = await call(server, "POST", `/compression/${image.id}`, target);
    const loose = await call(server, "POST", `/compression/${image.id}`, { ...target, target_size_kb: null });
    assert.ok(Number(aimed.body.compressed_size) < Number(loose.body.compressed_size));
    const bad = [{}, { preset: "tiny" }, { preset: "custom" }, { ...target, quality: 0 }, { ...target, max_width: 99 }];
    for (const body of bad) {
      assert.equal(
        (await call(server, "POST", `/compression/${image.id}`, body as Json)).status,
        422,
        JSON.stringify(body),
      );
    }
    assert.equal((await call(server, "POST", "/compression/nobody", { preset: "web" })).status, 404);
  });
});

/** A photo that takes a moment to pack again. */
function large(seed: number): Promise<Buffer> {
  return sharp(png(seed, 200, 150))
    .resize(2400, 1800)
    .jpeg({ quality: 90 })
    .toBuffer();
}
