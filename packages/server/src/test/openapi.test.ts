/** The OpenAPI document: whole, true to the routes, and the answers true to it. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { EXPORT_FORMATS } from "@cairn/core";
import { writeVideoPacket } from "@cairn/protocol";
import { Ajv2020 } from "ajv/dist/2020.js";
import { HubUser, PPS, SPS } from "./hub-user.ts";
import { png } from "./png.ts";
import { receiptOf, testServer } from "./test-server.ts";

type Operation = {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
};
type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };

test("HTTP-4 the document is whole, and answers fit the shapes that it gives", async (t) => {
  const server = await testServer(t);
  const document = (await (await server.send("GET", "/openapi.json")).json()) as Document;
  assert.match(document.openapi, /^3\.1/);
  const ajv = new Ajv2020({ strict: false });
  const ids = new Set<string>();
  for (const [path, operations] of Object.entries(document.paths)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    for (const [method, { operationId, parameters = [], responses }] of Object.entries(operations)) {
      assert.ok(operationId && !ids.has(operationId), `${method} ${path}: ${operationId}`);
      ids.add(operationId);
      const declared = parameters.filter((each) => each.in === "path").map(({ name }) => name);
      assert.deepEqual(declared.sort(), inPath, `${method} ${path}`);
      for (const { content = {} } of Object.values(responses)) {
        for (const { schema } of Object.values(content)) ajv.compile(schema);
      }
    }
  }

  const answered = new Set<string>();
  async function holds(
    method: string,
    template: string,
    path: string,
    status: number,
    body?: string | Buffer | FormData,
  ) {
    const response = await server.send(
      method,
      path,
      body,
      Buffer.isBuffer(body) ? { "content-type": "image/png" } : {},
    );
    assert.equal(response.status, status, `${method} ${path}`);
    const operation = document.paths[template]?.[method.toLowerCase()];
    assert.ok(operation, `${method} ${template} is not described`);
    answered.add(operation.operationId);
    const shape = operation.responses[status] ?? operation.responses[`${Math.floor(status / 100)}XX`];
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    if (!isJson) return;
    const schema = shape?.content?.["application/json"]?.schema;
    assert.ok(schema, `${method} ${template} ${status} has no shape`);
    const value: unknown = await response.json();
    const validate = ajv.compile(schema);
    assert.ok(
      validate(value),
      `${method} ${path} ${status}: ${ajv.errorsText(validate.errors)} ${JSON.stringify(value).slice(0, 300)}`,
    );
  }

  const space = "/v1/spaces/{space}";
  await holds(
    "POST",
    "/v1/spaces",
    "/v1/spaces",
    201,
    JSON.stringify({ title: "x", expiresNs: "4000000000000000000" }),
  );
  await holds("POST", "/v1/spaces", "/v1/spaces", 409, JSON.stringify({ id: "place" }));
  await holds("GET", "/v1/spaces", "/v1/spaces", 200);
  await holds("GET", space, "/v1/spaces/place", 200);
  await holds("GET", space, "/v1/spaces/none", 404);
  await holds("PATCH", space, "/v1/spaces/place", 200, JSON.stringify({ title: "y", expiresNs: null }));
  await holds("POST", `${space}/images`, "/v1/spaces/place/images?key=k", 201, png(1));
  await holds("POST", `${space}/images`, "/v1/spaces/place/images?key=k", 200, png(1));
  await holds("POST", `${space}/images`, "/v1/spaces/place/images", 422, png(1).subarray(0, 99));
  const form = new FormData();
  form.append("a", new Blob([png(2)]), "a.png");
  form.append("b", new Blob(["b"]), "b.png");
  await holds("POST", `${space}/images`, "/v1/spaces/place/images", 207, form);
  const { image, blob } = await receiptOf(await server.upload(png(1)));
  await holds("GET", `${space}/images`, "/v1/spaces/place/images", 200);
  await holds("GET", `${space}/images/{image}`, `/v1/spaces/place/images/${image}`, 200);
  await holds("GET", `${space}/images/{image}/thumbnail`, `/v1/spaces/place/images/${image}/thumbnail`, 200);
  await holds("GET", `${space}/images/{image}/thumbnail`, `/v1/spaces/place/images/${image}/thumbnail?side=9`, 422);
  await holds("GET", `${space}/events`, "/v1/spaces/place/events", 200);
  await holds("GET", `${space}/snapshot`, "/v1/spaces/place/snapshot", 200);
  await holds("GET", `${space}/operations`, "/v1/spaces/place/operations", 200);
  await holds("POST", `${space}/operations`, "/v1/spaces/place/operations", 422, JSON.stringify({ kind: "dance" }));
  await holds("DELETE", `${space}/operations/{operation}`, "/v1/spaces/place/operations/x", 404);
  await holds("GET", `${space}/generations`, "/v1/spaces/place/generations", 200);
  await holds("POST", `${space}/generations/{generation}/restore`, "/v1/spaces/place/generations/7/restore", 404);
  await holds("GET", `${space}/report`, "/v1/spaces/place/report", 404);
  const recordings = `${space}/recordings`;
  await holds("GET", recordings, "/v1/spaces/place/recordings", 200);
  await holds("POST", recordings, "/v1/spaces/place/recordings", 422, JSON.stringify({ channels: ["sound"] }));
  await holds("POST", recordings, "/v1/spaces/place/recordings", 201, "{}");
  await holds("GET", `${recordings}/{recording}`, "/v1/spaces/place/recordings/x", 404);
  await holds("POST", `${recordings}/{recording}/stop`, "/v1/spaces/place/recordings/x/stop", 404);
  await holds("DELETE", `${recordings}/{recording}`, "/v1/spaces/place/recordings/x", 404);
  await holds("GET", `${recordings}/{recording}/files/{file}`, "/v1/spaces/place/recordings/x/files/y", 404);
  await holds("GET", `${space}/anchors`, "/v1/spaces/place/anchors", 200);
  const anchor = `/v1/spaces/place/anchors/${randomUUID()}`;
  await holds("PUT", `${space}/anchors/{anchor}`, anchor, 409, JSON.stringify({ point: [1, 2, 3] }));
  await holds("DELETE", `${space}/anchors/{anchor}`, anchor, 404);
  const device = `${space}/devices/{device}`;
  const nobody = "/v1/spaces/place/devices/nobody";
  const key = { lease: 1, secret: "guess" };
  await holds("GET", `${space}/devices`, "/v1/spaces/place/devices", 200);
  await holds("POST", `${device}/lease`, `${nobody}/lease`, 404, JSON.stringify({ holder: "Ann" }));
  await holds("POST", `${device}/lease/keep`, `${nobody}/lease/keep`, 404, JSON.stringify(key));
  await holds("POST", `${device}/lease/release`, `${nobody}/lease/release`, 404, JSON.stringify(key));
  const command = { ...key, command: 1, kind: "move" };
  await holds("POST", `${device}/commands`, `${nobody}/commands`, 404, JSON.stringify(command));
  await holds("POST", `${device}/clear`, `${nobody}/clear`, 404, JSON.stringify({ ...key, order: 1 }));
  await holds("POST", `${device}/stop`, `${nobody}/stop`, 404);
  await holds("POST", `${space}/stop`, "/v1/spaces/place/stop", 200);
  await holds("GET", `${space}/tileset.json`, "/v1/spaces/place/tileset.json", 200);
  const branch = `${space}/tiles/{layer}/{node}`;
  await holds("GET", `${branch}/tileset.json`, "/v1/spaces/place/tiles/1/3_1_2_3/tileset.json", 404);
  await holds("GET", `${branch}/{file}`, "/v1/spaces/place/tiles/1/3_1_2_3/0123456789abcdef.glb", 404);
  await holds("GET", `${space}/exports`, "/v1/spaces/place/exports", 200);
  await holds("POST", `${space}/exports`, "/v1/spaces/place/exports", 422, JSON.stringify({ format: "clay" }));
  await holds("POST", `${space}/exports`, "/v1/spaces/place/exports", 202, JSON.stringify({ format: "ply" }));
  for (const format of Object.keys(EXPORT_FORMATS).filter((each) => each !== "colmap")) {
    await holds("GET", `${space}/exports/${format}`, `/v1/spaces/place/exports/${format}`, 409);
  }
  const cloud = Buffer.from(
    "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n",
  );
  await holds("POST", `${space}/layers`, "/v1/spaces/place/layers", 422, png(1));
  await holds("POST", `${space}/layers`, "/v1/spaces/place/layers?name=a.ply", 202, cloud);
  await holds("GET", `${space}/layers`, "/v1/spaces/place/layers", 200);
  await holds("DELETE", `${space}/layers/{layer}`, "/v1/spaces/place/layers/7", 404);
  await holds("GET", `${space}/exports/points.ply`, "/v1/spaces/place/exports/points.ply", 409);
  await holds("GET", `${space}/exports/colmap`, "/v1/spaces/place/exports/colmap", 409);
  await holds("GET", `${space}/exports/colmap/{file}`, "/v1/spaces/place/exports/colmap/images.txt", 409);
  await holds("GET", `${space}/uploads/{upload}`, "/v1/spaces/place/uploads/x", 404);
  await holds("GET", "/v1/blobs/{digest}", `/v1/blobs/${blob}`, 200);
  const producer = await HubUser.open(server, "/v1/video/cam?role=produce&space=place");
  producer.send(Buffer.from(writeVideoPacket({ flags: 2, number: 0, timeNs: 0n, data: Buffer.concat([SPS, PPS]) })));
  await producer.settledJson();
  await holds("GET", "/v1/video", "/v1/video", 200);
  const consumer = await HubUser.open(server, "/v1/video/cam");
  await consumer.packets(1);
  await holds("GET", "/v1/video/{source}", "/v1/video/cam", 200);
  await holds("GET", "/v1/video/{source}", "/v1/video/none", 404);
  await consumer.leave();
  await producer.leave();
  await holds("GET", "/health", "/health", 200);
  await holds("GET", "/ready", "/ready", 200);
  await holds("GET", "/v1/reach", "/v1/reach", 200);
  await holds("GET", "/", "/", 200);
  await holds("GET", "/sample", "/sample", 200);
  await holds("DELETE", space, "/v1/spaces/place", 204);
  // HEAD answers as GET does; tus has a document and tests of its own.
  const left = [...ids].filter(
    (id) => !answered.has(id) && !/Upload$|^uploadOffset$/.test(id) && !id.startsWith("head"),
  );
  assert.deepEqual(left, []);
});
