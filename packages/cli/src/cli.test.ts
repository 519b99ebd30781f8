/** The real binary, as a child process, against a real server on a free port. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { samplePhotosDir } from "@cairn/sample";

const binary = fileURLToPath(new URL("../bin/cairn.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "cairn-cli-"));
const running = new Set<ChildProcess>();
const photo = (name: string) => join(samplePhotosDir, name);

after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function start(args: readonly string[]): ChildProcess {
  const env = { ...process.env };
  for (const name of ["CAIRN_SERVER", "CAIRN_TOKEN", "BIND_HOST", "DEBUG"]) delete env[name];
  const child = spawn(process.execPath, [binary, ...args], { env, cwd: folder });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

type Ended = { code: number | null; out: Buffer; err: string };

async function cairn(args: readonly string[], input: string | Buffer = ""): Promise<Ended> {
  const child = start(args);
  child.stdin!.on("error", () => {}); // a command that reads nothing may be gone first
  child.stdin!.end(input);
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout!.on("data", (piece: Buffer) => out.push(piece));
  child.stderr!.on("data", (piece: Buffer) => err.push(piece));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out: Buffer.concat(out), err: Buffer.concat(err).toString() };
}

/** Resolves with everything on stdout up to the first line's end. */
async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const piece of child.stdout!) {
    text += String(piece);
    if (text.includes("\n")) return text;
  }
  throw new Error(`ended without a line: ${text}`);
}

function oneLine(err: string): void {
  assert.match(err, /^cairn: [^\n]+\n$/);
}

describe("words", () => {
  test("help has every command, examples and exit codes; the version is the package's", async () => {
    const help = await cairn(["--help"]);
    assert.equal(help.code, 0);
    assert.equal(help.err, "");
    for (const word of ["serve", "push", "status", "export", "Examples:", "Exit codes:"]) {
      assert.ok(help.out.includes(word), word);
    }
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    assert.equal((await cairn(["--version"])).out.toString(), `${version}\n`);
  });

  test("an unknown option, command, value or a missing argument ends with 2 and says what is wrong", async () => {
    for (const args of [
      ["serve", "--prot", "1"],
      ["bogus"],
      ["serve", "--port", "70000"],
      ["push", "s"],
      ["export", "s"],
      ["export", "s", "--format", "obj", "--out", "x"],
      ["push", "s", "a.jpg", "--camera-params", "1,2,3"],
      ["status", "s", "--server", "nonsense"],
    ]) {
      const { code, out, err } = await cairn(args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(out.length, 0);
      assert.match(err, /^cairn: /, args.join(" "));
    }
  });

  test("a missing file, a folder and a dead server cost one line and no stack", async () => {
    const missing = await cairn(["push", "s", join(folder, "none.jpg")]);
    assert.equal(missing.code, 1);
    oneLine(missing.err);
    assert.match(missing.err, /none\.jpg: no such file/);
    oneLine((await cairn(["push", "s", folder])).err);
    const dead = await cairn(["status", "s", "--server", "http://127.0.0.1:1"]);
    assert.equal(dead.code, 1);
    oneLine(dead.err);
    assert.match(dead.err, /cairn serve/);
  });
});

describe("against a server", () => {
  const data = join(folder, "data");
  let server: ChildProcess;
  let url: string;

  before(async () => {
    server = start(["serve", "--port", "0", "--data", data]);
    const line = await firstLine(server);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)![0];
  });

  test("GEN-1 the one line names an address that already answers", async () => {
    const response = await fetch(`${url}/health`);
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { status: string }).status, "healthy");
  });

  test("a second server on the same folder is refused, and so is a port in use", async () => {
    const second = await cairn(["serve", "--port", "0", "--data", data]);
    assert.equal(second.code, 1);
    assert.equal(second.out.length, 0);
    oneLine(second.err);
    assert.match(second.err, /in use by another server/);
    const port = new URL(url).port;
    const busy = await cairn(["serve", "--port", port, "--data", join(folder, "other")]);
    assert.equal(busy.code, 1);
    oneLine(busy.err);
    assert.match(busy.err, new RegExp(`port ${port} is in use`));
  });

  test("push makes the space and sends files, names from a pipe and a photo from a pipe; status counts them", async () => {
    const params = "1128,1128,720,480";
    const files = await cairn([
      "push",
      "tour",
      photo("01.jpg"),
      photo("02.jpg"),
      "--server",
      url,
      "--camera-params",
      params,
    ]);
    assert.deepEqual([files.code, files.err], [0, ""]);
    assert.match(files.out.toString(), /^01\.jpg {2}received\n02\.jpg {2}received\n$/);
    const names = await cairn(["push", "tour", "-", "--server", url], `${photo("03.jpg")}\n`);
    assert.match(names.out.toString(), /^03\.jpg/);
    const bytes = await cairn(["push", "tour", "-", "--server", url, "--json"], readFileSync(photo("04.jpg")));
    const sent = JSON.parse(bytes.out.toString()) as { photos: { name: string; image: string; received: boolean }[] };
    assert.deepEqual([sent.photos[0]!.name, sent.photos[0]!.received], ["stdin", true]);

    const { out } = await cairn(["status", "tour", "--server", url, "--json"]);
    assert.equal((JSON.parse(out.toString()) as { photos: { all: number } }).photos.all, 4);
    const images = (await (await fetch(`${url}/v1/spaces/tour/images`)).json()) as {
      images: { name: string; camera?: { params: number[]; width: number } }[];
    };
    const first = images.images.find(({ name }) => name === "01.jpg")!;
    assert.deepEqual([first.camera?.params, first.camera?.width], [[1128, 1128, 720, 480], 1440]);
    assert.equal(images.images.find(({ name }) => name === "03.jpg")!.camera, undefined);
  });

  test("a push that is repeated makes no second image", async () => {
    const push = () => cairn(["push", "again", photo("05.jpg"), "--server", url, "--json"]);
    const [first, second] = [await push(), await push()];
    assert.equal(first.out.toString(), second.out.toString());
    const { out } = await cairn(["status", "again", "--server", url, "--json"]);
    assert.equal((JSON.parse(out.toString()) as { photos: { all: number } }).photos.all, 1);
  });

  test("a file that is no photo is refused by name, the others arrive, and the exit code says so", async () => {
    const { code, out } = await cairn(["push", "mixed", binary, photo("06.jpg"), "--server", url]);
    assert.equal(code, 1);
    assert.match(out.toString(), /cairn\.mjs {2}refused {3}Not a photo/);
    assert.match(out.toString(), /06\.jpg {5}received/);
  });

  test("status and export of a space that is not there, and export without a model, say what to do", async () => {
    for (const args of [
      ["status", "nowhere"],
      ["export", "nowhere", "--out", join(folder, "x.ply")],
      ["export", "mixed", "--out", join(folder, "x.ply")],
    ]) {
      const { code, err } = await cairn([...args, "--server", url]);
      assert.equal(code, 1);
      oneLine(err);
    }
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("x.ply")),
      [],
    );
  });

  test("GEN-26 SIGTERM ends it with 0 within 5 s, though a client holds a socket; the photos are there after", async () => {
    const waiting = start(["push", "tour", photo("01.jpg"), "--server", url, "--wait"]);
    const startedMs = Date.now();
    server.kill("SIGTERM");
    const [code] = (await once(server, "exit")) as [number | null];
    assert.equal(code, 0);
    assert.ok(Date.now() - startedMs < 5000);
    waiting.kill("SIGKILL");
    const next = start(["serve", "--port", "0", "--data", data]);
    const address = /http:\S+/.exec(await firstLine(next))![0];
    const { out } = await cairn(["status", "tour", "--server", address, "--json"]);
    assert.equal((JSON.parse(out.toString()) as { photos: { all: number } }).photos.all, 4);
    next.kill("SIGTERM");
    assert.deepEqual(await once(next, "exit"), [0, null]);
  });

  test("Ctrl-C ends a command with 130, also while a server keeps it waiting", async () => {
    const silent = createServer(); // takes the connection and never answers
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const pushing = start(["push", "s", photo("07.jpg"), "--server", `http://127.0.0.1:${port}`]);
    const [socket] = (await once(silent, "connection")) as [Socket];
    pushing.kill("SIGINT");
    assert.deepEqual(await once(pushing, "exit"), [130, null]);
    socket.destroy();
    silent.close();
  });
});
