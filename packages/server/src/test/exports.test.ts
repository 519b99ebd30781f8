/** Photos of a real place through the whole server, and out again as files. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inflateRawSync } from "node:zlib";
import { readPly } from "@cairn/formats";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { eventually } from "./eventually.ts";
import { floor, layerSpace } from "./layer-space.ts";
import { errorOf, receiptOf, type TestServer, testServer } from "./test-server.ts";

const datasets =
  process.env.CAIRN_DATASETS ?? fileURLToPath(new URL("../../../../../shared/datasets", import.meta.url));

test("HTTP-22 the published model as PLY and COLMAP, and a rebuild on request", async (t) => {
  const folder = join(datasets, "fountain-P11/images");
  if (!existsSync(folder)) return t.skip(`SKIPPED: ${folder} not found`);
  const server = await testServer(t, {
    openEngine: (options) => openEmbeddedEngine({ ...options, preset: "sparse", threads: 2 }),
  });
  for (const name of (await readdir(folder)).sort().slice(0, 3)) {
    await receiptOf(await server.upload(await readFile(join(folder, name)), `name=${name}`));
  }
  const published = await eventually(
    server.url,
    (event) => event.type === "generation.published" && event.data.cameras === 3,
  );
  assert.ok(published.type === "generation.published");

  const ply = await server.send("GET", "/v1/spaces/place/exports/points.ply");
  const { positions } = readPly(Buffer.from(await ply.arrayBuffer()));
  assert.equal(positions.length / 3, published.data.points);
  const cameras = await (await server.send("GET", "/v1/spaces/place/exports/colmap/cameras.txt")).text();
  assert.match(cameras, /^\d+ (PINHOLE|SIMPLE_RADIAL|RADIAL) \d+ \d+ /m);
  const images = await (await server.send("GET", "/v1/spaces/place/exports/colmap/images.txt")).text();
  const zip = unzip(await fileOf(server, "colmap"));
  assert.equal(zip.get("images.txt")?.toString(), images);
  assert.deepEqual(
    [...unzip(await fileOf(server, "colmap-bin")).keys()],
    ["cameras.bin", "images.bin", "points3D.bin"],
  );

  const las = await fileOf(server, "las14");
  assert.equal(las.readBigUInt64LE(247), BigInt(published.data.points));
  const csv = await fileOf(server, "csv");
  assert.equal(csv.toString().trim().split("\n").length, 1 + published.data.points);

  // The same as an operation, from both of its doors: its blob is the file.
  for (const [path, body] of [
    ["exports", { format: "csv" }],
    ["operations", { kind: "export:csv" }],
  ] as const) {
    const asked = await server.send("POST", `/v1/spaces/place/${path}`, JSON.stringify(body));
    assert.equal(asked.status, 202);
    const { operation: id } = (await asked.json()) as { operation: string };
    const done = await eventually(
      server.url,
      ({ type, data }) => type === "operation.completed" && data.operation === id,
    );
    assert.ok(done.type === "operation.completed");
    const { digest, ...about } = done.data.result!;
    assert.deepEqual(about, { format: "csv", sizeBytes: csv.length, name: "place.csv", mediaType: "text/csv" });
    const blob = await server.send("GET", `/v1/blobs/${digest}`);
    assert.deepEqual(Buffer.from(await blob.arrayBuffer()), csv);
  }

  const started = await server.send("POST", "/v1/spaces/place/operations", JSON.stringify({ kind: "rebuild" }));
  assert.equal(started.status, 202);
  const { operation } = (await started.json()) as { operation: string };
  await eventually(server.url, (event) => event.type === "operation.completed" && event.data.operation === operation);
});

test("EXC-5 what cannot be exported is refused before the first byte", async (t) => {
  const server = await testServer(t);
  const { formats } = (await (await server.send("GET", "/v1/spaces/place/exports")).json()) as {
    formats: { format: string; name: string }[];
  };
  assert.ok(formats.some(({ format, name }) => format === "las14" && name === "place.las"));
  for (const { format } of formats) {
    const error = await errorOf(await server.send("GET", `/v1/spaces/place/exports/${format}`));
    assert.deepEqual([error.status, error.code], [409, "export.empty"], format);
  }
  const unknown = await errorOf(await server.send("GET", "/v1/spaces/place/exports/obj"));
  assert.deepEqual([unknown.status, unknown.code], [404, "export.unknown_format"]);
  const started = await server.send("POST", "/v1/spaces/place/exports", JSON.stringify({ format: "obj" }));
  assert.equal((await errorOf(started)).code, "request.invalid");
});

test("EXC-13 EXC-6 a cloud in by HTTP, out again as a file and as an operation, and removed", async (t) => {
  const server = await testServer(t);
  const rows = Array.from({ length: 1000 }, (_, i) => `${i % 40} ${Math.floor(i / 40)} 0 10 20 30`);
  const cloud = Buffer.from(
    `ply\nformat ascii 1.0\nelement vertex 1000\n${["x", "y", "z"].map((n) => `property float ${n}\n`).join("")}` +
      `${["red", "green", "blue"].map((n) => `property uchar ${n}\n`).join("")}end_header\n${rows.join("\n")}\n`,
  );
  const raw = { "content-type": "application/octet-stream" };
  const turned = JSON.stringify({ scale: 2, rotation: [1, 0, 0, 0], translation: [100, 0, 0] });
  const path = `/v1/spaces/place/layers?name=hall.ply&transform=${encodeURIComponent(turned)}`;
  const asked = await server.send("POST", path, cloud, raw);
  assert.equal(asked.status, 202);
  const { operation } = (await asked.json()) as { operation: string };
  const done = await eventually(
    server.url,
    ({ type, data }) => type === "operation.completed" && data.operation === operation,
  );
  assert.ok(done.type === "operation.completed");
  assert.deepEqual(done.data.result, { layer: 1, points: 1000, merged: 0, refused: 0, outOfReach: 0 });
  const { positions, colors } = readPly(await fileOf(server, "ply"));
  assert.deepEqual([positions.length, [...colors.subarray(0, 3)]], [3000, [10, 20, 30]]);
  for (const format of ["ply", "las", "las14"]) {
    const answer = await server.send("GET", `/v1/spaces/place/exports/${format}`);
    assert.equal(Number(answer.headers.get("content-length")), (await answer.arrayBuffer()).byteLength, format);
  }
  for (let i = 0; i < 3000; i += 3) assert.ok(positions[i]! > 99.9 && positions[i]! < 178.1);

  const bad = await errorOf(await server.send("POST", path, cloud.subarray(0, 500), raw));
  assert.deepEqual([bad.status, bad.code, bad.facts.format], [422, "import.invalid", "ply"]);
  assert.equal((await errorOf(await server.send("POST", `${path}x`, cloud, raw))).code, "request.not_json");
  for (const [field, wrong] of [
    ["scale", { scale: 1e308 }],
    ["scale", { scale: -1 }],
    ["rotation", { rotation: [0, 0, 0, 0] }],
    ["rotation", { rotation: [1, 1, 0, 0] }],
    ["translation", { translation: [0, 1e300, 0] }],
  ] as const) {
    const transform = encodeURIComponent(JSON.stringify({ ...JSON.parse(turned), ...wrong }));
    const refused = await errorOf(
      await server.send("POST", `/v1/spaces/place/layers?transform=${transform}`, cloud, raw),
    );
    assert.deepEqual([refused.code, refused.facts.field], ["request.invalid", `transform.${field}`]);
  }
  assert.deepEqual(await (await server.send("GET", "/v1/spaces/place/layers")).json(), {
    layers: [{ layer: 1, kind: "import", name: "hall.ply", points: 1000, shown: true, transform: JSON.parse(turned) }],
  });
  assert.equal((await server.send("DELETE", "/v1/spaces/place/layers/1")).status, 204);
  assert.equal((await errorOf(await server.send("DELETE", "/v1/spaces/place/layers/1"))).code, "layer.missing");
  assert.equal((await errorOf(await server.send("GET", "/v1/spaces/place/exports/ply"))).code, "export.empty");
});

test("EXC-29 exports beyond what a space sends at once are refused, and taken when a reader has gone", async (t) => {
  const place = await layerSpace();
  await place.change(async (core, space) => {
    const writer = core.layers.start(space, { kind: "import", name: "floor", spacing: 1 / 1024 });
    // More than sockets take in for a reader that does not read.
    for (let seed = 1; seed <= 4; seed++)
      await space.log.append(await writer.insert([floor(100_000, 50, [0, 0, 0], seed)]));
  });
  const server = await testServer(t, { dataDir: place.dataDir });
  const path = "/v1/spaces/place/exports/csv";
  const slow = await Promise.all(Array.from({ length: 12 }, () => server.send("GET", path)));
  assert.ok(slow.every(({ status }) => status === 200));
  const refused = await server.send("GET", path);
  assert.equal(refused.headers.get("retry-after"), "1");
  const { status, code, facts } = await errorOf(refused);
  assert.deepEqual([status, code, facts.exports], [429, "request.rate_limited", 12]);
  await slow.pop()!.body!.cancel();
  const endMs = performance.now() + 120_000;
  let again = await server.send("GET", path);
  while (again.status === 429 && performance.now() < endMs) {
    await again.arrayBuffer();
    again = await server.send("GET", path);
  }
  assert.equal(again.status, 200);
  await Promise.all([...slow, again].map(({ body }) => body!.cancel()));
});

async function fileOf(server: TestServer, format: string): Promise<Buffer> {
  const response = await server.send("GET", `/v1/spaces/place/exports/${format}`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-disposition") ?? "", /^attachment; filename="place/);
  return Buffer.from(await response.arrayBuffer());
}

/** Files of an archive by its directory, in its order. */
function unzip(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = archive.lastIndexOf("PK\x05\x06", undefined, "latin1");
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [method, packed, nameLength] = [
      archive.readUInt16LE(at + 10),
      archive.readUInt32LE(at + 20),
      archive.readUInt16LE(at + 28),
    ];
    const name = archive.toString("utf8", at + 46, at + 46 + nameLength);
    const local = archive.readUInt32LE(at + 42);
    const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const bytes = archive.subarray(from, from + packed);
    files.set(name, method === 8 ? inflateRawSync(bytes) : bytes);
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return files;
}
