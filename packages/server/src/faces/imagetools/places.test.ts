/** Who may be in some spaces only is in no other, whatever a request calls itself and whatever else it says. GEN-35. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formOf, type Json } from "../../test/imagetools-client.ts";
import { png } from "../../test/png.ts";
import { testServer } from "../../test/test-server.ts";

const ADMIN = "the-token-of-the-house";
const GUEST = "guest-guest-guest";
const GIVER = "giver-giver-giver";
const OPTIONS = {
  token: ADMIN,
  tokens: [
    { token: GUEST, role: "contribute", spaces: ["a"] },
    { token: GIVER, role: "contribute" },
  ],
} as const;

type Call = [method: string, path: string, body?: Json | Buffer | FormData, type?: string];

/** The routes of the face for one token. */
async function house(t: Parameters<typeof testServer>[0]) {
  const server = await testServer(t, OPTIONS);
  const as =
    (token: string) =>
    async (...[method, path, body, type]: Call) => {
      const plain = body === undefined || Buffer.isBuffer(body) || body instanceof FormData;
      const sent = plain ? (body ?? null) : JSON.stringify(body);
      const headers = { authorization: `Bearer ${token}`, ...(type !== undefined && { "content-type": type }) };
      const answer = await server.send(method, `/api/v1${path}`, sent, headers);
      return { status: answer.status, body: (await answer.json()) as Json };
    };
  const [admin, guest, giver] = [as(ADMIN), as(GUEST), as(GIVER)];
  for (const id of ["a", "b"]) await admin("POST", "/sessions", { custom_session_id: id });
  /** One image in, and a long operation on it. */
  const worked = async (session: string) => {
    const form = formOf({ session_id: session }, { bytes: png(3), name: "a.png" });
    const { body: image } = await admin("POST", "/images", form);
    const wanted = { session_id: session, operation_type: "bulk_rotate", params: { degrees: 90 } };
    const { body: operation } = await admin("POST", "/operations", wanted);
    return { image: String(image.id), operation: String(operation.operation_id) };
  };
  return { server, admin, guest, giver, worked };
}

test("GEN-35 a request that calls itself a form is in the same space as one that does not", async (t) => {
  const { admin, guest, worked } = await house(t);
  const { image, operation } = await worked("b");
  for (const [method, path] of [
    ["DELETE", "/sessions/b"],
    ["DELETE", "/sessions/place"],
    ["POST", "/sessions"],
    ["POST", `/operations/${operation}/cancel`],
    ["DELETE", `/operations/${operation}`],
    ["POST", `/images/${image}/edit`],
    ["POST", `/history/${image}/undo`],
    ["DELETE", `/images/${image}`],
    ["POST", "/operations?session_id=b"],
    ["POST", "/compression/bulk?session_id=b"],
    ["POST", "/images/download-zip"],
  ] as const) {
    const { status } = await guest(method, path, Buffer.from("--x--\r\n"), "multipart/form-data; boundary=x");
    assert.equal(status, 403, `${method} ${path}`);
  }
  assert.equal((await admin("GET", "/sessions/b")).status, 200);
  assert.equal((await admin("GET", "/sessions/place")).status, 200);
});

test("GEN-35 a request is in the space that it acts on, whatever others it names beside", async (t) => {
  const { admin, guest, worked } = await house(t);
  const { image } = await worked("b");
  const before = (await admin("GET", "/sessions/b")).body;
  for (const [method, path, body] of [
    ["POST", "/sessions", { session_id: "a", custom_session_id: "b", ttl_seconds: 1, user_id: "guest" }],
    ["POST", "/sessions?session_id=a", { custom_session_id: "b", ttl_seconds: 1 }],
    ["POST", "/sessions?custom_session_id=a", {}],
    ["POST", "/sessions", { session_id: "a" }],
    ["POST", "/operations?session_id=a", { session_id: "b", operation_type: "bulk_delete" }],
    ["POST", "/compression/bulk?session_id=a", { session_id: "b", preset: "web" }],
    ["POST", "/operations", { custom_session_id: "a", session_id: "b", operation_type: "bulk_delete" }],
    ["POST", "/images/download-zip?session_id=a", { session_id: "a", image_ids: [image] }],
    ["GET", "/operations?session_id=b&custom_session_id=a", undefined],
  ] as const) {
    const { status } = await guest(method, path, body && { ...body });
    assert.equal(status, 403, `${method} ${path} ${JSON.stringify(body)}`);
  }
  assert.deepEqual((await admin("GET", "/sessions/b")).body, before);
  assert.equal((await guest("POST", "/sessions", { custom_session_id: "a" })).status, 200);
});

test("GEN-35 an operation is found in its space also after a restart, before anybody has opened it", async (t) => {
  const { server, guest, worked } = await house(t);
  const [{ operation }, other] = [await worked("a"), await worked("b")];
  await server.restart();
  const own = await guest("GET", `/operations/${operation}`);
  assert.deepEqual([own.status, own.body.session_id], [200, "a"]);
  assert.equal((await guest("GET", `/operations/${other.operation}`)).status, 403);
});

test("HTTP-29 IMG-23 a space that was not made as a session is for those to delete who may delete spaces", async (t) => {
  const { admin, giver } = await house(t);
  const refused = await giver("DELETE", "/sessions/place");
  assert.deepEqual([refused.status, refused.body], [403, { detail: "Not allowed" }]);
  assert.equal((await admin("GET", "/sessions/place")).status, 200);
  assert.equal((await giver("DELETE", "/sessions/b")).status, 200);
  assert.equal((await admin("DELETE", "/sessions/place")).status, 200);
});
