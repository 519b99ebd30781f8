/** The real binary, as a child process, against a real server on a free port. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { readColmapText, readPly } from "@cairn/formats";
import type { SpaceState } from "@cairn/protocol";
import { truthDir } from "@cairn/sample";
import { workplace } from "./test/workplace.ts";

const { binary, folder, smallPhotos, start, cairn, node, firstLine } = workplace();
/** Files of the sample's photos, small. */
const photo = (name: string) => join(folder, name);
before(() => smallPhotos("01.jpg", "02.jpg", "03.jpg", "04.jpg", "05.jpg", "06.jpg", "07.jpg", "08.jpg", "09.jpg"));

function oneLine(err: string): void {
  assert.match(err, /^cairn: [^\n]+\n$/);
}

describe("words", () => {
  test("help has every command, examples and exit codes; the version is the package's", async () => {
    const help = await cairn(["--help"]);
    assert.equal(help.code, 0);
    assert.equal(help.err, "");
    for (const word of [
      "serve",
      "push",
      "status",
      "rebuild",
      "export",
      "mesh",
      "import",
      "rollback",
      "reconstruct",
      "Examples:",
      "Exit codes:",
    ]) {
      assert.ok(help.out.includes(word), word);
    }
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    assert.equal((await cairn(["--version"])).out.toString(), `${version}\n`);
  });

  test("an unknown option, command, value or a missing argument ends with 2 and says what is wrong", async () => {
    const wrong = await cairn(["serve", "--prot", "1"]);
    assert.deepEqual([wrong.code, wrong.out.length], [2, 0]);
    assert.match(wrong.err, /^cairn: /);
    const others = [
      ["bogus"],
      ["serve", "--port", "70000"],
      ["serve", "--rebuild-every", "1"],
      ["serve", "--preset", "golden"],
      ["push", "s"],
      ["export", "s"],
      ["export", "s", "--format", "obj", "--out", "x"],
      ["mesh", "s", "--out", "x.dae"],
      ["mesh", "s", "--out", "x.glb", "--detail", "0"],
      ["push", "s", "a.jpg", "--camera-params", "1,2,3"],
      ["push", "s", "a.jpg", "--camera-params", "9,9,4,3", "--camera-size", "8"],
      ["status", "s", "--server", "nonsense"],
    ];
    // What the binary does with its own, one after another in one process.
    const each = `for (const args of ${JSON.stringify(others)}) {
      process.exitCode = undefined;
      process.stderr.write(args.join(" ") + " > ");
      await run(["node", "cairn", ...args]);
      console.log(process.exitCode);
    }`;
    const { out, err } = await node(`import { run } from ${JSON.stringify(import.meta.resolve("./main.js"))}; ${each}`);
    assert.equal(out.toString(), "2\n".repeat(others.length));
    for (const args of others) assert.ok(err.includes(`${args.join(" ")} > cairn: `), err);
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
    server = start(["serve", "--port", "0", "--data", data, "--rebuild-every", "20", "--preset", "sparse"]);
    const line = await firstLine(server);
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)![0];
  });

  test("GEN-1 the one line names an address that already answers", async () => {
    const response = await fetch(`${url}/health`);
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as { status: string }).status, "healthy");
  });

  const settings = async (space: string) => {
    const { state } = (await (await fetch(`${url}/v1/spaces/${space}/snapshot`)).json()) as { state: SpaceState };
    return [state.settings.rebuildEvery, state.settings.preset];
  };

  test("GEN-4 only an address that others can reach, without a token, is warned of, in one line", async () => {
    const warningsAt = async (host: string) => {
      const child = start(["serve", "--host", host, "--port", "0", "--data", join(folder, `at-${host}`)]);
      let err = "";
      child.stderr!.on("data", (piece) => {
        err += piece;
      });
      await firstLine(child);
      const closed = once(child, "close");
      child.kill("SIGTERM");
      await closed;
      return err.split("\n").filter((line) => line !== "");
    };
    const [open, local] = await Promise.all([warningsAt("0.0.0.0"), warningsAt("127.0.0.1")]);
    assert.equal(open.length, 1, open.join("\n"));
    assert.match(open[0]!, /authentication is off/);
    assert.deepEqual(local, []);
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
    const params = "564,564,360,240";
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
    assert.deepEqual([bytes.code, bytes.err], [0, ""]);
    const sent = JSON.parse(bytes.out.toString()) as { photos: { name: string; image: string; received: boolean }[] };
    assert.deepEqual([sent.photos[0]!.name, sent.photos[0]!.received], ["stdin", true]);

    const { out } = await cairn(["status", "tour", "--server", url, "--json"]);
    assert.equal((JSON.parse(out.toString()) as { photos: { all: number } }).photos.all, 4);
    const images = (await (await fetch(`${url}/v1/spaces/tour/images`)).json()) as {
      images: { name: string; camera?: { params: number[]; width: number } }[];
    };
    assert.deepEqual(await settings("tour"), [20, "sparse"]);
    await cairn(["push", "often", photo("01.jpg"), "--rebuild-every", "5", "--preset", "fast", "--server", url]);
    assert.deepEqual(await settings("often"), [5, "fast"]);
    const first = images.images.find(({ name }) => name === "01.jpg")!;
    assert.deepEqual([first.camera?.params, first.camera?.width], [[564, 564, 360, 240], 720]);
    assert.equal(images.images.find(({ name }) => name === "03.jpg")!.camera, undefined);
  });

  test("push --wait ends with each photo's verdict; status and export show the model", async () => {
    const photos = ["07.jpg", "08.jpg", "09.jpg"].map(photo);
    const pushed = await cairn(["push", "seen", ...photos, "--server", url, "--wait", "--json"]);
    assert.deepEqual([pushed.code, pushed.err], [0, ""]);
    const { photos: judged } = JSON.parse(pushed.out.toString()) as { photos: { verdict: { verdict: string } }[] };
    assert.deepEqual(
      judged.map(({ verdict }) => verdict.verdict),
      ["registered", "registered", "registered"],
    );
    const { out } = await cairn(["status", "seen", "--server", url, "--json"]);
    const summary = JSON.parse(out.toString()) as { photos: { used: number }; cameras: number; points: number };
    assert.deepEqual([summary.photos.used, summary.cameras], [3, 3]);
    const cloud = await cairn(["export", "seen", "--out", "-", "--server", url]);
    assert.equal(cloud.code, 0);
    assert.equal(readPly(new Uint8Array(cloud.out)).positions.length / 3, summary.points);
    const zip = join(folder, "seen.zip");
    assert.equal((await cairn(["export", "seen", "--format", "colmap", "--out", zip, "--server", url])).code, 0);
    const bytes = readFileSync(zip);
    assert.equal(bytes.subarray(0, 4).toString("latin1"), "PK\u0003\u0004");
    assert.ok(bytes.includes("points3D.txt"));
    const model = join(folder, "seen");
    assert.equal((await cairn(["export", "seen", "--format", "colmap", "--out", model, "--server", url])).code, 0);
    assert.deepEqual(readdirSync(model).sort(), ["cameras.txt", "images.txt", "points3D.txt"]);
    const read = (name: string) => readFileSync(join(model, name), "utf8");
    const { images, positions } = readColmapText({
      cameras: read("cameras.txt"),
      images: read("images.txt"),
      points3D: read("points3D.txt"),
    });
    assert.equal(images.length, 3);
    // The model also has the points that are not good enough to be shown.
    assert.ok(positions.length / 3 >= summary.points, `${positions.length / 3} of ${summary.points}`);
    // A strange picture changes nothing for the others, and the exit code tells.
    const strange = await cairn(["push", "seen", join(truthDir, "depth", "01.png"), "--server", url, "--wait"]);
    assert.equal(strange.code, 3);
    assert.match(strange.out.toString(), /^01\.png {2}(waiting|not used) /);
  });

  test("GENR-2 rollback shows the generation before, said again there is none; --to names one, --list shows them", async () => {
    const run = (...args: string[]) => cairn(["rollback", "seen", "--server", url, ...args]);
    const listed = await run("--list");
    assert.equal(listed.code, 0);
    assert.match(listed.out.toString(), /^ {2}generation 1 {2}\S+ \S+, 3 cameras, \d+ points\n/);
    assert.match(listed.out.toString(), /\* generation \d {2}[^\n]*residual \d+\.\d\d % of the scene\n$/);
    const { shown, generations } = JSON.parse((await run("--list", "--json")).out.toString()) as {
      shown: number;
      generations: { generation: number; points: number }[];
    };
    const back = await run();
    assert.deepEqual([back.code, back.err], [0, ""]);
    assert.match(
      back.out.toString(),
      new RegExp(
        `^seen shows generation ${shown - 1} again: generation ${shown + 1} .*, goes back to ${shown - 1}\\n$`,
      ),
    );
    const { out } = await cairn(["status", "seen", "--server", url, "--json"]);
    const first = generations.find(({ generation }) => generation === shown - 1);
    assert.equal((JSON.parse(out.toString()) as { points: number }).points, first?.points);
    assert.match((await run("--to", String(shown), "--json")).out.toString(), /"restored":/);
    for (const args of [
      ["--to", "99"],
      ["--to", "0"],
    ])
      assert.notEqual((await run(...args)).code, 0);
    await run("--to", "1");
    const none = await run();
    assert.equal(none.code, 1);
    oneLine(none.err);
    assert.equal((await run("--to", String(shown))).code, 0);
  });

  test("REC-11 rebuild refines everything now, with a preset that then holds", async () => {
    const points = async () => {
      const { out } = await cairn(["status", "seen", "--server", url, "--json"]);
      return (JSON.parse(out.toString()) as { points: number }).points;
    };
    const sparse = await points();
    const done = await cairn(["rebuild", "seen", "--preset", "fast", "--wait", "--server", url]);
    assert.deepEqual([done.code, done.err], [0, ""]);
    assert.match(done.out.toString(), /^seen generation \d+: 3 cameras, \d+ points\n$/);
    const dense = await points();
    assert.ok(dense > 5 * sparse, `${dense} points where there were ${sparse}`);
    assert.deepEqual(await settings("seen"), [20, "fast"]);
  });

  test("EXC-13 import makes a layer of a file, export hands it out in every format of points", async () => {
    const file = join(folder, "scan.ply");
    const rows = Array.from({ length: 500 }, (_, i) => `${i % 20} ${Math.floor(i / 20)} ${i % 3}`).join("\n");
    const head = ["x", "y", "z"].map((name) => `property float ${name}\n`).join("");
    writeFileSync(file, `ply\nformat ascii 1.0\nelement vertex 500\n${head}end_header\n${rows}\n`);
    const taken = await cairn(["import", "scans", file, "--server", url, "--json"]);
    assert.deepEqual([taken.code, taken.err], [0, ""]);
    assert.deepEqual(JSON.parse(taken.out.toString()), { layer: 1, points: 500, merged: 0, refused: 0, outOfReach: 0 });
    const starts = { ply: "ply\n", las: "LASF", las14: "LASF", glb: "glTF", "3dtiles": "PK", csv: "x,y,z" };
    for (const [format, start] of Object.entries(starts)) {
      const { code, out } = await cairn(["export", "scans", "--format", format, "--out", "-", "--server", url]);
      assert.deepEqual([code, out.subarray(0, start.length).toString()], [0, start], format);
    }
    const las = join(folder, "again.las");
    assert.equal((await cairn(["export", "scans", "--format", "las14", "--out", las, "--server", url])).code, 0);
    const again = await cairn(["import", "scans", las, "--server", url]);
    assert.equal(again.out.toString(), "layer 2: 500 points, 0 merged into others\n");
    const scans = await cairn(["status", "scans", "--server", url]);
    assert.match(
      scans.out.toString(),
      / 1000 points.*\n {2}layer 1 {2}scan\.ply: 500 .*\n {2}layer 2 {2}again\.las: 500 /,
    );
    const model = join(folder, "scan.obj");
    const meshed = await cairn(["mesh", "scans", "--out", model, "--layer", "1", "--detail", "0.5", "--server", url]);
    assert.deepEqual([meshed.code, meshed.err], [0, ""]);
    const [, faces] = meshed.out.toString().match(/scan\.obj: (\d+) faces, \d+ vertices, \d+ edges open\n$/)!;
    const lines = readFileSync(model, "utf8").split("\n");
    assert.equal(lines.filter((line) => line.startsWith("f ")).length, Number(faces));
    const none = await cairn(["mesh", "scans", "--out", model, "--layer", "9", "--server", url]);
    assert.equal(none.code, 1);
    oneLine(none.err);
    const removed = await cairn(["remove", "scans", "2", "--server", url]);
    assert.deepEqual([removed.code, removed.out.toString()], [0, "layer 2 is gone from scans\n"]);
    const gone = await cairn(["remove", "scans", "2", "--server", url]);
    assert.equal(gone.code, 1);
    oneLine(gone.err);
    writeFileSync(file, "no cloud");
    const bad = await cairn(["import", "scans", file, "--server", url]);
    assert.equal(bad.code, 1);
    assert.match(bad.err, /not a point cloud .* neither PLY nor LAS/);
  });

  test("export names what stands in the way: a folder where a file goes, a file where a folder goes", async () => {
    for (const [format, out, advice] of [
      ["ply", join(folder, "seen"), /seen is a folder; name a file/],
      ["colmap", join(folder, "seen.zip", "x"), /seen\.zip\S* is a file; name a folder/],
    ] as const) {
      const { code, err } = await cairn(["export", "seen", "--format", format, "--out", out, "--server", url]);
      assert.equal(code, 1);
      oneLine(err);
      assert.match(err, advice);
    }
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".part")),
      [],
    );
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
      ["rollback", "nowhere"],
      ["rollback", "mixed"],
      ["export", "nowhere", "--out", join(folder, "x.ply")],
      ["export", "mixed", "--out", join(folder, "x.ply")],
      ["export", "mixed", "--format", "colmap", "--out", join(folder, "x.ply")],
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
    assert.ok(Date.now() - startedMs < 60_000); // 5 s on a machine with time to spare; a held socket would hold it for ever
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
