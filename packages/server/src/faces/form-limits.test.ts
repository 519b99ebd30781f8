/** Forms and bodies over their limits: refused while they come, and their senders hear why. Rules GEN-32, IMG-58. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { formOf, newSession, upload } from "../test/imagetools-client.ts";
import { png } from "../test/png.ts";
import { testServer } from "../test/test-server.ts";

const MIB = 2 ** 20;
const PIECE = Buffer.alloc(MIB, 65);
/** What the kernel of either side takes before anybody reads. */
const KERNEL_BYTES = 16 * MIB;

type Sent = { readonly status: number; readonly body: unknown; readonly sentBytes: number };

/** Says that a GiB comes, and sends until it is answered, like a client that reads while it sends; or, `deaf`, all of `bytes` first. */
async function pour(
  port: number,
  path: string,
  head: string,
  more: { bytes?: number; deaf?: boolean } = {},
): Promise<Sent> {
  const { bytes = 1024 * MIB, deaf = false } = more;
  const type = head.startsWith("--") ? "multipart/form-data; boundary=b" : "application/octet-stream";
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  const answered = new Promise<void>((resolve, reject) => {
    socket.on("data", (data) => {
      answer += data.toString();
      if (answer.includes("}")) resolve();
    });
    socket.on("error", (error) => (deaf ? reject(error) : undefined)).on("close", () => resolve());
  });
  answered.catch(() => {});
  if (deaf) socket.pause();
  const method = type.startsWith("multipart") || path.startsWith("/v1") ? "POST" : "PUT";
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const chunk = (data: Buffer) =>
    Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
  if (head) socket.write(chunk(Buffer.from(head)));
  let sentBytes = 0;
  while (sentBytes < bytes && (deaf || !answer.includes("}")) && !socket.destroyed) {
    sentBytes += PIECE.length;
    if (!socket.write(chunk(PIECE))) await Promise.race([once(socket, "drain"), once(socket, "close"), answered]);
  }
  if (deaf) socket.end("0\r\n\r\n").resume();
  await answered;
  socket.destroy();
  const [header = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(header, /connection: close/i, path);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(header)?.[1]), body: JSON.parse(body), sentBytes };
}

async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await delay(20);
}

const file = (name: string) => `--b\r\nContent-Disposition: form-data; name="${name}"; filename="x.png"\r\n\r\n`;
const FIELD = '--b\r\nContent-Disposition: form-data; name="source"\r\n\r\n';
const TOO_LARGE = { detail: "Request body too large" };

describe("forms over their limits", () => {
  test("GEN-32 IMG-58 a form is refused when too much of it has come, in whichever part, and is not read further", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const images = `/api/v1/images?session_id=${session}`;
    for (const [path, head, limit, body] of [
      [images, file("file"), 20, { detail: "File too large" }],
      [images, FIELD, 65, TOO_LARGE],
      ["/pointcloud/site", file("file"), 64, TOO_LARGE],
      ["/pointcloud/site", file("other"), 65, TOO_LARGE],
      ["/ws/session/create", file("file"), 65, TOO_LARGE],
    ] as const) {
      const sent = await pour(server.port, path, head);
      assert.deepEqual([sent.status, sent.body], [413, body], `${path} ${head}`);
      assert.ok(sent.sentBytes <= limit * MIB + KERNEL_BYTES, `${path} ${head}: ${sent.sentBytes / MIB} MiB`);
    }
  });

  test("GEN-32 IMG-58 who reads nothing before all is sent hears the refusal, too", async (t) => {
    const server = await testServer(t);
    const session = await newSession(server);
    const images = `/api/v1/images?session_id=${session}`;
    const form = await pour(server.port, images, file("file"), { bytes: 40 * MIB, deaf: true });
    assert.deepEqual([form.status, form.body], [413, { detail: "File too large" }]);
    const photo = await pour(server.port, "/v1/spaces/place/images", "", { bytes: 80 * MIB, deaf: true });
    assert.deepEqual([photo.status, (photo.body as { code: string }).code], [413, "image.too_large"]);
    const start = await server.send("POST", "/api/upload/start", JSON.stringify({ fileName: "a" }));
    const { uploadId } = (await start.json()) as { uploadId: string };
    const chunk = await pour(server.port, `/api/upload/${uploadId}/0`, "", { bytes: 80 * MIB, deaf: true });
    assert.deepEqual([chunk.status, chunk.body], [413, { detail: `Chunk too large; at most ${64 * MIB} bytes` }]);
  });

  test("GEN-32 HTTP-32 what is in memory of all uploads has a bound over all doors, and who comes beyond it may try again", async (t) => {
    const server = await testServer(t, { uploadBytes: 8 * MIB });
    const session = await newSession(server);
    const stalled = connect(server.port, "127.0.0.1");
    const head = `POST /pointcloud/site HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n`;
    stalled.write(`${head}Content-Length: ${60 * MIB}\r\n\r\n${file("file")}`);
    for (let i = 0; i < 6; i++) stalled.write(PIECE);
    const start = await server.send("POST", "/api/upload/start", JSON.stringify({ fileName: "a" }));
    const { uploadId } = (await start.json()) as { uploadId: string };
    const large = Buffer.alloc(4 * MIB, 65);
    const tries = [
      () => server.send("POST", "/api/v1/images", formOf({ session_id: session }, { bytes: large, name: "x.png" })),
      () => server.send("POST", "/pointcloud/other", formOf({}, { bytes: large, name: "x.png" })),
      () => server.send("PUT", `/api/upload/${uploadId}/0`, large),
      () => server.upload(large),
    ];
    await until(async () => (await tries[3]!()).status === 429);
    for (const ask of tries) {
      const answer = await ask();
      const { detail } = (await answer.json()) as { detail: unknown };
      assert.deepEqual([answer.status, answer.headers.get("retry-after"), typeof detail], [429, "1", "string"]);
    }
    // There is room for what is small, and for all when the other has gone.
    await upload(server, session, png(1));
    stalled.destroy();
    await until(async () => (await tries[2]!()).status === 200);
  });
});
