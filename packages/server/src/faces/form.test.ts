/** Forms as libraries in other languages make them: names that are percent-encoded, texts without a file, files without texts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newSession } from "../test/imagetools-client.ts";
import { png } from "../test/png.ts";
import { type TestServer, testServer } from "../test/test-server.ts";

type Part = readonly [name: string, body: Buffer | string, fileName?: string];

/** Byte for byte what is said: `FormData` would write names in its own way. */
async function post(server: TestServer, path: string, parts: readonly Part[]) {
  const pieces = parts.map(([name, body, fileName]) => {
    const file = fileName === undefined ? "" : `; filename="${fileName}"`;
    const head = `--b\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), Buffer.from(body), Buffer.from("\r\n")]);
  });
  const body = Buffer.concat([...pieces, Buffer.from("--b--\r\n")]);
  const response = await server.send("POST", path, body, { "content-type": "multipart/form-data; boundary=b" });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("GEN-31 IMG-41 IMG-63 a file's name is decoded once, and is a base name also when its slashes were encoded", async (t) => {
  const server = await testServer(t);
  const session = await newSession(server);
  for (const [given, kept] of [
    ["my%20photo.jpg", "my photo.jpg"],
    ["..%2F..%2Fx.jpg", "x.jpg"],
    ["100%.png", "100%.png"],
    ["a%2520b.png", "a%20b.png"],
  ] as const) {
    const { status, body } = await post(server, "/api/v1/images", [
      ["session_id", session],
      ["file", png(1), given],
    ]);
    assert.deepEqual([status, body.original_filename], [200, kept]);
  }
});

test("IMG-56 a form of texts alone lacks its file, and nothing else", async (t) => {
  const server = await testServer(t);
  const session = await newSession(server);
  const type = { "content-type": "application/x-www-form-urlencoded" };
  const refused = await server.send("POST", "/api/v1/images", `session_id=${session}`, type);
  const { detail } = (await refused.json()) as { detail: { loc: string[] }[] };
  assert.deepEqual([refused.status, detail.map(({ loc }) => loc)], [422, [["body", "file"]]]);
});

test("DEP-2 parameters come as a form of either kind, and win over the query", async (t) => {
  const server = await testServer(t);
  const made = await post(server, "/ws/session/create?max_images=9&process_res=300", [
    ["max_images", "7"],
    ["show_cameras", "0"],
  ]);
  const { max_images, config } = made.body as { max_images: number; config: Record<string, unknown> };
  assert.deepEqual([made.status, max_images, config.process_res, config.show_cameras], [200, 7, 300, false]);
  const wrong = await post(server, "/ws/session/create", [["max_images", "many"]]);
  assert.equal(wrong.status, 422);
  assert.deepEqual((wrong.body.detail as { loc: string[] }[])[0]?.loc, ["body", "max_images"]);
});

test("HER-53 the older way lacks its file, or has what is none", async (t) => {
  const server = await testServer(t);
  const lacking = await post(server, "/pointcloud/site", [["user_id", "u"]]);
  assert.equal(lacking.status, 422);
  const wrong = await post(server, "/pointcloud/site", [["file", "no picture", "a.jpg"]]);
  assert.deepEqual([wrong.status, wrong.body], [400, { detail: "File must be an image" }]);
});
