/** Files of devices, over sockets and HTTP, as the hub's contract has them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { HubUser } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";

type Server = Awaited<ReturnType<typeof testServer>>;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function fileOf(server: Server, name: string): Promise<string | undefined> {
  const answer = await fetch(`${server.url}/api/uploads/${encodeURIComponent(name)}`);
  const text = await answer.text();
  return answer.status === 200 ? text : undefined;
}

/** Answers to the sender, without their type. */
async function statuses(user: HubUser, count: number) {
  return (await user.of("file_upload_status", count)).map(({ type: _, ...said }) => said);
}

describe("files over a socket", () => {
  test("HUB-60 HUB-64 a whole file is stored and told to its sender and to viewers", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone?source=p1");
    const text = "#timestamp [ns]\n1,ü\n";
    phone.send({ type: "file_upload", fileName: "imu.csv", fileContent: text });
    const told = {
      fileName: "imu.csv",
      status: "stored",
      chunks: 1,
      bytes: Buffer.byteLength(text),
      progress: 1,
      sha256: sha256(text),
    };
    assert.deepEqual(await statuses(phone, 1), [told]);
    assert.deepEqual(await statuses(viewer, 1), [{ ...told, source: "p1" }]);
    assert.equal(await fileOf(server, "imu.csv"), text);
    await phone.leave();
    await viewer.leave();
  });

  test("HUB-31 a phone and a producer of video both upload, each message answered, and one goes on with the other's", async (t) => {
    const server = await testServer(t);
    const phone = await HubUser.open(server, "/ws/phone?source=p1");
    const camera = await HubUser.open(server, "/ws/video?source=p1");
    for (const [user, name] of [
      [phone, "a.csv"],
      [camera, "b.csv"],
    ] as const) {
      user.send({ type: "file_upload", fileName: `whole-${name}`, fileContent: name });
      user.send({ type: "file_upload_start", fileName: name });
      user.send({ type: "file_upload_chunk", fileName: name, chunk: `first of ${name}`, chunkIndex: 0 });
      const said = (await statuses(user, 3)).map(({ fileName, status }) => [fileName, status]);
      assert.deepEqual(said, [
        [`whole-${name}`, "stored"],
        [name, "started"],
        [name, "progress"],
      ]);
    }
    camera.send({ type: "file_upload_chunk", fileName: "a.csv", chunk: ", second", chunkIndex: 1 });
    camera.send({ type: "file_upload_complete", fileName: "a.csv" });
    assert.equal((await statuses(camera, 5)).at(-1)?.sha256, sha256("first of a.csv, second"));
    assert.equal(await fileOf(server, "a.csv"), "first of a.csv, second");
    assert.equal(await fileOf(server, "whole-b.csv"), "b.csv");
    assert.equal(await fileOf(server, "b.csv"), undefined, "it was not completed");
    for (const user of [phone, camera]) await user.leave();
  });

  test("HUB-61 HUB-62 HUB-63 HUB-65 HUB-66 chunks in any order become a file at once, and the old one stays until then", async (t) => {
    const server = await testServer(t);
    const phone = await HubUser.open(server, "/ws/phone");
    phone.send({ type: "file_upload", fileName: "a.csv", fileContent: "old" });
    await statuses(phone, 1);
    phone.send({ type: "file_upload_start", fileName: "a.csv", totalChunks: 3 });
    for (const [chunkIndex, chunk] of [
      [3, "three"],
      [1, "one,"],
      [1, "another"],
      [2, "two,"],
    ]) {
      phone.send({ type: "file_upload_chunk", fileName: "a.csv", chunk, chunkIndex });
    }
    const running = (await statuses(phone, 6)).slice(1);
    assert.deepEqual(
      running.map(({ status, chunks, bytes }) => [status, chunks, bytes]),
      [
        ["started", 0, 0],
        ["progress", 1, 5],
        ["progress", 2, 9],
        ["progress", 2, 9],
        ["progress", 3, 13],
      ],
    );
    assert.deepEqual(
      running.map(({ progress }) => progress),
      [0, 1 / 3, 2 / 3, 2 / 3, 1],
    );
    assert.equal(await fileOf(server, "a.csv"), "old");
    phone.send({ type: "file_upload_complete", fileName: "a.csv" });
    const last = (await statuses(phone, 7)).at(-1);
    assert.equal(last?.status, "stored");
    assert.equal(last?.sha256, sha256("one,two,three"));
    assert.equal(await fileOf(server, "a.csv"), "one,two,three");
    // Without a name the server gives one; without indices chunks follow each other; no total, no progress.
    phone.send({ type: "file_upload_start" });
    const started = (await statuses(phone, 8)).at(-1);
    assert.match(String(started?.fileName), /^upload_\d+\.csv$/);
    assert.equal(started?.progress, null);
    for (const chunk of ["x", "y"]) phone.send({ type: "file_upload_chunk", fileName: started?.fileName, chunk });
    phone.send({ type: "file_upload_complete", fileName: started?.fileName });
    await statuses(phone, 11);
    assert.equal(await fileOf(server, String(started?.fileName)), "xy");
    await phone.leave();
  });

  test("HUB-67 HUB-68 gaps are named, and another socket of the same source goes on", async (t) => {
    const server = await testServer(t);
    const first = await HubUser.open(server, "/ws/phone?source=p");
    first.send({ type: "file_upload_start", fileName: "walk.csv", totalChunks: 6 });
    for (const chunkIndex of [0, 1, 2, 4]) {
      first.send({ type: "file_upload_chunk", fileName: "walk.csv", chunk: String(chunkIndex), chunkIndex });
    }
    await statuses(first, 5);
    await first.leave();
    const other = await HubUser.open(server, "/ws/phone?source=q");
    other.send({ type: "file_upload_complete", fileName: "walk.csv" });
    assert.equal((await statuses(other, 1))[0]?.message, "Unknown upload");
    const second = await HubUser.open(server, "/ws/video?source=p");
    second.send({ type: "file_upload_complete", fileName: "walk.csv" });
    const [failed] = await statuses(second, 1);
    assert.deepEqual([failed?.status, failed?.message, failed?.chunks], ["failed", "Missing chunks: 3, 5", 4]);
    for (const chunkIndex of [3, 5]) {
      second.send({ type: "file_upload_chunk", fileName: "walk.csv", chunk: String(chunkIndex), chunkIndex });
    }
    second.send({ type: "file_upload_complete", fileName: "walk.csv" });
    assert.equal((await statuses(second, 4)).at(-1)?.status, "stored");
    assert.equal(await fileOf(server, "walk.csv"), "012345");
    for (const user of [other, second]) await user.leave();
  });

  test("HUB-69 HUB-70 bad names, texts that are none and a seventeenth upload are refused with their cause", async (t) => {
    const server = await testServer(t);
    const phone = await HubUser.open(server, "/ws/phone");
    const bad = ["../a.csv", "a/b", "a\\b", "", ".", "..", "a\0", "x".repeat(256), 7];
    for (const fileName of bad) phone.send({ type: "file_upload", fileName, fileContent: "x" });
    for (const said of await statuses(phone, bad.length)) {
      assert.deepEqual([said.status, said.message, said.progress], ["failed", "Invalid file name", null]);
    }
    phone.send({ type: "file_upload", fileName: "a" }, { type: "file_upload_chunk", fileName: "a", chunk: 1 });
    phone.send({ type: "file_upload_chunk", fileName: "a", chunk: "1", chunkIndex: 0.5 });
    const reasons = (await statuses(phone, bad.length + 3)).slice(bad.length).map(({ message }) => message);
    assert.deepEqual(reasons, ["fileContent is not text", "chunk is not text", "chunkIndex is not a whole number"]);
    for (let i = 0; i < 17; i++) phone.send({ type: "file_upload_start", fileName: `f${i}` });
    const last = (await statuses(phone, bad.length + 3 + 17)).at(-1);
    assert.deepEqual([last?.status, last?.message], ["failed", "Too many open uploads; at most 16"]);
    assert.deepEqual((await server.send("GET", "/api/uploads").then((answer) => answer.json())) as unknown, {
      files: [],
    });
    await phone.leave();
  });

  test("HUB-64 viewers hear of a running upload at most twice a second, of its beginning and end at once", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone");
    const beganMs = performance.now();
    phone.send({ type: "file_upload_start", fileName: "big.csv", totalChunks: 200 });
    for (let i = 0; i < 200; i++) {
      phone.send({ type: "file_upload_chunk", fileName: "big.csv", chunk: "x", chunkIndex: i });
    }
    phone.send({ type: "file_upload_complete", fileName: "big.csv" });
    await viewer.until(({ messages }) => (messages.some(({ status }) => status === "stored") ? true : undefined));
    const seconds = (performance.now() - beganMs) / 1000;
    const told = viewer.messages.map(({ status }) => status);
    assert.deepEqual([told[0], told[1], told.at(-1)], ["started", "progress", "stored"]);
    assert.ok(told.length <= 3 + 2 * seconds, `${told.length} in ${seconds} s`);
    assert.equal((await statuses(phone, 202)).length, 202);
    for (const user of [viewer, phone]) await user.leave();
  });
});

describe("files by HTTP", () => {
  const json = { "content-type": "application/json" };

  test("HUB-71 HUB-76 a form stores its file; the list and the bytes, in ranges, come back", async (t) => {
    const server = await testServer(t);
    const form = new FormData();
    form.append("note", "of no interest");
    form.append("file", new Blob(["a,b\n1,2\n"]), "table.csv");
    const answer = await fetch(`${server.url}/api/upload`, { method: "POST", body: form });
    const stored = { fileName: "table.csv", bytes: 8, sha256: sha256("a,b\n1,2\n") };
    assert.deepEqual([answer.status, await answer.json()], [200, { status: "success", ...stored }]);
    const { files } = (await (await fetch(`${server.url}/api/uploads`)).json()) as { files: Record<string, unknown>[] };
    const { created_at, ...listed } = files[0] ?? {};
    assert.deepEqual(listed, stored);
    assert.ok(Math.abs(Number(created_at) - Date.now() / 1000) < 600);
    const part = await fetch(`${server.url}/hub/api/uploads/table.csv`, { headers: { range: "bytes=2-3" } });
    assert.deepEqual([part.status, await part.text()], [206, "b\n"]);

    const away = await fetch(`${server.url}/api/uploads/none`);
    assert.deepEqual([away.status, await away.json()], [404, { detail: "File not found" }]);
    const nothing = await fetch(`${server.url}/api/upload`, { method: "POST", body: new FormData() });
    assert.equal(nothing.status, 422);
    for (const name of ["../evil.csv", "a\\b"]) {
      const bad = new FormData();
      bad.append("file", new Blob(["x"]), name);
      const refused = await fetch(`${server.url}/api/upload`, { method: "POST", body: bad });
      assert.deepEqual([refused.status, await refused.json()], [400, { detail: "Invalid file name" }], name);
    }
    const path = await fetch(`${server.url}/api/uploads/${encodeURIComponent("../x")}`);
    assert.deepEqual([path.status, await path.json()], [400, { detail: "Invalid file name" }]);
  });

  test("HUB-72 HUB-73 HUB-74 HUB-75 chunks by HTTP, with progress, gaps, an abort and what is unknown", async (t) => {
    const server = await testServer(t);
    const post = (path: string, body?: object) =>
      fetch(`${server.url}${path}`, { method: "POST", headers: json, body: JSON.stringify(body ?? {}) });
    const put = (upload: string, index: number | string, text: string, type = "text/csv") =>
      fetch(`${server.url}/api/upload/${upload}/${index}`, {
        method: "PUT",
        headers: { "content-type": type },
        body: text,
      });
    const started = await post("/api/upload/start", { fileName: "b.csv", totalChunks: 4 });
    const { uploadId, ...rest } = (await started.json()) as { uploadId: string };
    assert.deepEqual([started.status, rest], [200, { fileName: "b.csv" }]);
    assert.match(uploadId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    await put(uploadId, 2, "cc");
    const second = await put(uploadId, 1, '{"b":1}', "application/json");
    assert.deepEqual(await second.json(), { uploadId, received: 2, bytes: 9, progress: 0.5 });
    const early = await post(`/api/upload/${uploadId}/complete`);
    assert.deepEqual([early.status, await early.json()], [409, { detail: "Missing chunks: 0, 3" }]);
    await put(uploadId, 0, "a", "application/octet-stream");
    await put(uploadId, 3, "");
    const state = await fetch(`${server.url}/api/upload/${uploadId}`);
    assert.deepEqual(await state.json(), { uploadId, fileName: "b.csv", received: 4, bytes: 10, progress: 1 });
    const done = await post(`/api/upload/${uploadId}/complete`);
    assert.deepEqual(await done.json(), {
      status: "success",
      fileName: "b.csv",
      bytes: 10,
      sha256: sha256('a{"b":1}cc'),
    });
    for (const answer of [await post(`/api/upload/${uploadId}/complete`), await put(uploadId, 0, "x")]) {
      assert.deepEqual([answer.status, await answer.json()], [404, { detail: "Unknown upload" }]);
    }

    const other = (await (await post("/api/upload/start", { fileName: "c" })).json()) as { uploadId: string };
    assert.equal((await put(other.uploadId, "one", "x")).status, 422);
    const ended = await fetch(`${server.url}/api/upload/${other.uploadId}`, { method: "DELETE" });
    assert.equal(ended.status, 200);
    assert.equal((await fetch(`${server.url}/api/upload/${other.uploadId}`)).status, 404);
    const refused = await post("/api/upload/start", { fileName: "../c" });
    assert.deepEqual([refused.status, await refused.json()], [400, { detail: "Invalid file name" }]);
    assert.equal((await post("/api/upload/start", {})).status, 422);
    const large = await post("/api/upload/start", { fileName: "d", totalBytes: 2 ** 30 + 1 });
    assert.equal(large.status, 413);
  });

  test("HUB-62 HUB-65 a letter that is cut between two chunks is whole in the file, in whatever order they come", async (t) => {
    const server = await testServer(t);
    const phone = await HubUser.open(server, "/ws/phone?source=p1");
    const text = "1,😀,é,🚀";
    const cuts = [text.slice(0, 3), text.slice(3, 8), text.slice(8)];
    for (const [fileName, order] of [
      ["a.csv", [0, 1, 2]],
      ["b.csv", [2, 0, 1]],
    ] as const) {
      for (const chunkIndex of order) {
        phone.send({ type: "file_upload_chunk", fileName, chunk: cuts[chunkIndex], chunkIndex });
      }
      phone.send({ type: "file_upload_complete", fileName });
    }
    const said = await statuses(phone, 8);
    assert.deepEqual([said[3]?.sha256, said[7]?.sha256], [sha256(text), sha256(text)]);
    assert.equal(await fileOf(server, "a.csv"), text);
    // What comes by HTTP is bytes, whatever they look like.
    const start = await server.send("POST", "/api/upload/start", JSON.stringify({ fileName: "raw" }));
    const { uploadId } = (await start.json()) as { uploadId: string };
    const raw = Buffer.of(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80);
    await server.send("PUT", `/api/upload/${uploadId}/0`, raw);
    await server.send("POST", `/api/upload/${uploadId}/complete`);
    const stored = await fetch(`${server.url}/api/uploads/raw`);
    assert.deepEqual(Buffer.from(await stored.arrayBuffer()), raw);
    await phone.leave();
  });

  test("HUB-75 no device goes on with an upload by HTTP, or ends it, whatever it is called", async (t) => {
    const server = await testServer(t);
    const start = await server.send("POST", "/api/upload/start", JSON.stringify({ fileName: "a.csv" }));
    const { uploadId } = (await start.json()) as { uploadId: string };
    await server.send("PUT", `/api/upload/${uploadId}/0`, Buffer.from("by http"));
    for (const source of ["http", "http:"]) {
      const phone = await HubUser.open(server, `/ws/phone?source=${source}`);
      phone.send({ type: "file_upload_start", fileName: "a.csv" });
      if (source === "http") assert.equal((await statuses(phone, 1))[0]?.status, "started");
      else assert.equal((await phone.closed).code, 1008);
      await phone.leave();
    }
    const state = await server.send("GET", `/api/upload/${uploadId}`);
    assert.deepEqual([state.status, ((await state.json()) as { bytes: number }).bytes], [200, 7]);
  });

  test("HUB-71 HUB-76 a form that is none, is cut or has no name is its sender's fault", async (t) => {
    const server = await testServer(t);
    const send = async (body: string, type = "multipart/form-data; boundary=b") => {
      const answer = await server.send("POST", "/api/upload", Buffer.from(body), { "content-type": type });
      return [answer.status, ((await answer.json()) as { detail: unknown }).detail];
    };
    const head = '--b\r\nContent-Disposition: form-data; name="file"';
    const nameless = `${head}\r\nContent-Type: application/octet-stream\r\n\r\nabc\r\n--b--\r\n`;
    assert.deepEqual(await send(nameless), [400, "Invalid file name"]);
    const broken = [{ type: "value_error", loc: ["body"], msg: "The form is broken", input: null }];
    assert.deepEqual(await send(`${head}; filename="a.csv"\r\n\r\nabc`), [422, broken]);
    assert.deepEqual(await send(nameless, "multipart/form-data"), [422, broken]);
    assert.equal(await fileOf(server, "a.csv"), undefined);
  });
});
