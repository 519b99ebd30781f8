/** What holds at every door, whichever face: names, times, numbers and ids. Rules GEN-31, GEN-38 to GEN-40. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isoSeconds as heritageSeconds, isoMillis } from "../faces/heritage/times.ts";
import { isoMicros, isoSeconds } from "../faces/imagetools/times.ts";
import { createSession, DepthUser } from "./depth-user.ts";
import { call, formOf, newSession, upload } from "./imagetools-client.ts";
import { MeshUser, meshServer, place, sizedCube } from "./mesh-fixtures.ts";
import { png } from "./png.ts";
import { receiptOf, testServer } from "./test-server.ts";

test("GEN-31 names from clients are no paths, and are decoded once", async (t) => {
  const { server, dir } = await meshServer(t);
  const outside = async () => (await Promise.all([dirname(server.dataDir), dir].map((each) => readdir(each)))).flat();
  const before = (await outside()).filter((name) => name.includes("evil"));
  for (const [path, status] of [
    ["/projects/..%2F..%2Fevil/status", 400],
    ["/projects/%2e%2e/status", 400],
    ["/api/mesh/..%2F..%2Fetc%2Fpasswd", 404],
    ["/api/mesh/%2e%2e", 404],
    ["/v1/spaces/..%2Fevil", 422],
    ["/v1/blobs/..%2F..%2Flog", 404],
    ["/ws/session/..%2Fevil", 404],
    ["/api/v1/images/..%2Fevil/current", 404],
    ["/assets/..%2F..%2F..%2Fpackage.json", 404],
    ["/sample/..%2Fpackage.json", 404],
  ] as const) {
    const { status: got, body } = await server.rawGet(path);
    assert.ok(got === status || (got >= 400 && got < 500 && status >= 400), `${path}: ${got}`);
    assert.doesNotMatch(body, /root:|"dependencies"/, path);
  }
  // Encoded twice it is a name with percent signs.
  const twice = JSON.parse((await server.rawGet("/projects/%252e%252e/status")).body) as { project_id: string };
  assert.equal(twice.project_id, "%2e%2e");

  const { session_id } = await createSession(server);
  const user = new DepthUser(server, `/ws/reconstruct/${session_id}`);
  await user.image(png(1), "../../../evil.png");
  await user.image(png(2), "..\\..\\evil.png");
  assert.deepEqual(
    (await user.of("ack", 2)).map(({ image_path }) => image_path),
    ["evil.png", "evil_1.png"],
  );
  user.ws.close();
  const session = await newSession(server);
  const image = await upload(server, session, png(3), {}, "../../evil.png");
  assert.equal(image.original_filename, "evil.png");
  const form = formOf({ session_id: "../evil" }, { bytes: png(4), name: "x.png" });
  assert.equal((await call(server, "POST", "/images", form)).status, 401);
  assert.deepEqual(
    (await outside()).filter((name) => name.includes("evil")),
    before,
  );
});

test("GEN-38 one time, in the form of each face", async (t) => {
  const timeNs = "1762086896789123456";
  assert.equal(isoMillis(timeNs), "2025-11-02T12:34:56.789");
  assert.equal(heritageSeconds(timeNs), "2025-11-02T12:34:56");
  assert.equal(isoSeconds(1762086896789), "2025-11-02T12:34:56Z");
  assert.equal(isoMicros(timeNs), "2025-11-02T12:34:56.789123");
  const server = await testServer(t);
  const { session_id, created_at } = await createSession(server);
  const response = await server.send("GET", `/v1/spaces/${session_id}`);
  const { createdNs } = (await response.json()) as { createdNs: string };
  assert.match(createdNs, /^\d{19}$/);
  assert.ok(
    Math.abs(Number(created_at) - Number(BigInt(createdNs) / 1000n) / 1e6) < 0.002,
    `${created_at} ${createdNs}`,
  );
});

test("GEN-39 integers above 2^53 come through to the digit", async (t) => {
  const { server, dir } = await meshServer(t);
  // What a program wrote beside its design is the answer, unchanged.
  const beside = '{"serial": 1234567890123456789, "big": 18446744073709551615}';
  await writeFile(join(dir, "part_metadata.json"), beside);
  const user = new MeshUser(server.port);
  await place(dir, "part.stl", sizedCube(1));
  await user.about("part");
  assert.equal((await server.rawGet("/api/mesh/part/metadata")).body, beside);
  user.ws.close();
  // And times of our own are text where JSON has only doubles.
  const receipt = await receiptOf(await server.upload(png(1), "capturedNs=1762086896789123457"));
  const { images } = (await (await server.send("GET", "/v1/spaces/place/images")).json()) as {
    images: { image: string; capturedNs?: string }[];
  };
  assert.equal(images.find(({ image }) => image === receipt.image)?.capturedNs, "1762086896789123457");
});

test("GEN-40 ids that are made here are lower-case UUIDs of version 4", async (t) => {
  const server = await testServer(t);
  const v4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const session = await newSession(server);
  const image = await upload(server, session, png(1));
  const made = await server.send("POST", "/v1/spaces");
  const operation = await call(server, "POST", "/compression/bulk", { session_id: session, preset: "web" });
  const ids = {
    "depth session": (await createSession(server)).session_id,
    "image session": session,
    image: image.id,
    operation: operation.body.operation_id,
    space: ((await made.json()) as { id: string }).id,
    photo: (await receiptOf(await server.upload(png(2)))).image,
  };
  for (const [what, id] of Object.entries(ids)) assert.match(String(id), v4, what);
});
