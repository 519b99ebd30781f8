/** What no client would send, to every face: 20,000 seeded messages each. Rules GEN-15 to GEN-19, GEN-27, GEN-44. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { type Dice, dice } from "../test/dice.ts";
import { png } from "../test/png.ts";
import { startProcess } from "../test/start-process.ts";

const MESSAGES = 20_000;
const SOCKETS = 8;
const ROUNDS = 20;

type Json = Readonly<Record<string, unknown>>;

/** A server in a process of its own, as a stranger finds it. */
type Target = {
  readonly url: string;
  send(method: string, path: string, body?: string | Buffer | null): Promise<Response>;
  /** It is the process that was started. */
  lives(): boolean;
};

async function target(t: TestContext): Promise<Target> {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-fuzz-"));
  const { child, url } = await startProcess(dataDir, { socketRate: { perSecond: 1e6, burst: 1e6 } });
  t.after(async () => {
    const ended = once(child, "exit");
    if (child.kill("SIGKILL")) await ended;
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    url,
    send: (method, path, body = null) =>
      fetch(url + path, {
        method,
        ...(body !== null && { body: typeof body === "string" ? body : new Uint8Array(body) }),
        headers: { "content-type": "application/json" },
      }),
    lives: () => child.exitCode === null && child.signalCode === null,
  };
}

type Victim = {
  readonly face: string;
  /** Where a face has sockets of several kinds. */
  readonly name?: string;
  /** Makes a place of its own. @returns the path of its socket */
  place(server: Target): Promise<string>;
  /** Messages that are right, to be spoiled. @param picture in base64 */
  right(picture: string): readonly Json[];
  /** The text of an error in the face's shape; `undefined` for what is none. @throws for an error in another */
  errorText(message: Json): string | undefined;
  /** `false`: nothing is sent on connect. */
  readonly greets?: false;
  readonly ping: string;
  isPong(text: string): boolean;
  /** Paths of its HTTP routes, from its root. */
  readonly routes: readonly (readonly [method: string, path: string])[];
};

async function sessionOf(server: Target, path: string, field: string): Promise<string> {
  const response = await server.send("POST", path, "{}");
  assert.equal(response.status, 200);
  return String(((await response.json()) as Json)[field]);
}

/** `{"type":"error","message":…}` and the fields that the contracts add. */
function plainError({ type, message, ...facts }: Json): string | undefined {
  if (type !== "error") return undefined;
  for (const name of Object.keys(facts)) assert.ok(["client_ref", "image_id", "error", "ref"].includes(name), name);
  return String(message);
}

const isPlainPong = (text: string) => text.startsWith('{"type":"pong"');

let places = 0;
const VICTIMS: readonly Victim[] = [
  {
    face: "meshes",
    place: async () => `/ws/meshes?since=${places++ % 3}&match=${"*a".repeat(places % 50)}*`,
    right: () => [{ event: "ping" }, { type: "ping" }, { event: "subscribe", design_id: "a" }],
    errorText({ event, message, ...facts }) {
      if (event !== "error") return undefined;
      for (const name of Object.keys(facts)) assert.equal(name, "ref");
      return String(message);
    },
    ping: "ping",
    isPong: (text) => text === '{"event":"pong"}',
    routes: [
      ["GET", "/api/mesh/?"],
      ["GET", "/api/mesh/?/metadata"],
      ["GET", "/api/meshes/list?limit=?&offset=?&collection=?&match=?"],
      ["GET", "/api/meshes/compare?design_id_1=?&design_id_2=?"],
      ["GET", "/api/meshes/timeline?before=?"],
    ],
  },
  {
    face: "heritage",
    place: async () => `/ws/fuzz ${places++}`,
    right: (picture) => [
      { type: "upload_image", image_data: picture, filename: "a.png", client_ref: "r" },
      { type: "request_resync" },
      { type: "ping" },
    ],
    errorText: plainError,
    ping: '{"type":"ping"}',
    isPong: isPlainPong,
    routes: [
      ["GET", "/projects/?/status"],
      ["POST", "/pointcloud/?"],
      ["GET", "/pointcloud/?/latest"],
      ["GET", "/scene/?"],
      ["POST", "/scene/?"],
    ],
  },
  {
    face: "depth",
    place: async (server) => `/ws/reconstruct/${await sessionOf(server, "/ws/session/create", "session_id")}`,
    right: (picture) => [
      { type: "image", data: picture, filename: "../a.png" },
      { type: "generate", incremental: true, glb: "url" },
      { type: "finalize", glb: "inline" },
      { type: "init", max_images: 5, show_cameras: true },
      { type: "ping" },
    ],
    errorText: plainError,
    ping: '{"type":"ping"}',
    isPong: isPlainPong,
    routes: [
      ["POST", "/ws/session/create"],
      ["POST", "/ws/session/create?max_images=?"],
      ["GET", "/ws/session/?"],
      ["DELETE", "/ws/session/?"],
      ["GET", "/ws/session/?/result.glb"],
    ],
  },
  {
    face: "imagetools",
    place: async (server) => `/api/v1/ws/${await sessionOf(server, "/api/v1/sessions", "id")}`,
    right: () => [
      { type: "subscribe", data: { session_id: "x" } },
      { type: "ping", timestamp: 5 },
    ],
    errorText({ type, data, ...facts }) {
      if (type !== "error") return undefined;
      for (const name of Object.keys(facts)) assert.ok(["timestamp", "seq"].includes(name), name);
      return String((data as Json).message);
    },
    ping: "ping",
    isPong: (text) => text === "pong",
    routes: [
      ["POST", "/api/v1/sessions"],
      ["GET", "/api/v1/sessions/?"],
      ["POST", "/api/v1/images"],
      ["GET", "/api/v1/images/?"],
      ["POST", "/api/v1/images/?/rotate"],
      ["POST", "/api/v1/operations"],
    ],
  },
  {
    face: "hub",
    name: "hub, a phone",
    greets: false,
    place: async () => "/ws/phone",
    right: (picture) => [
      { type: "status_message", timestamp: 1, message: "m" },
      { type: "video_frame", data: picture, timestamp: 1 },
      { type: "video_config", config: { source: "camera" }, source: "x" },
      { type: "imu_data", timestamp: 1, accelerometer: { x: 0, y: 0, z: 0 }, gyroscope: { x: 0, y: 0, z: 0 } },
      { type: "analysis_mode", data: "yolo" },
    ],
    errorText: plainError,
    ping: "ping",
    isPong: (text) => text === "pong",
    routes: [
      ["GET", "/api/ply/?"],
      ["GET", "/video/status?source=?"],
      ["POST", "/api/restart"],
    ],
  },
  {
    face: "hub",
    name: "hub, a viewer",
    greets: false,
    place: async () => "/ws/viewer",
    right: () => [
      { type: "movement", x: 1, y: -1, timestamp: "1" },
      { type: "camera", action: "on", source: "cam" },
      { type: "joystick", axes: [0, 1] },
      { type: "machineLearning", data: "none" },
    ],
    errorText: plainError,
    ping: "ping",
    isPong: (text) => text === "pong",
    routes: [["GET", "/api/ply/?"]],
  },
];

const ODD: readonly unknown[] = [
  ...[
    null,
    true,
    -1,
    0.5,
    1e308,
    2 ** 53,
    "",
    "\u0000",
    "\ud800",
    "ping",
    "..",
    "../../etc/passwd",
    "%00",
    "é".repeat(99),
  ],
  ...[[], {}, [[]], { toString: 1 }, "data:;base64,", "aGVsbG8=", "iVBORw0KGgo=", "/9j/4AAQ", "GIF89a", "constructor"],
  "A".repeat(20_000),
];

const TEXTS = [
  ...["", " ", "{", "}", "null", "[]", "[{}]", "5", '"ping"', "\ufeff{}", '{"type":', '{"type":"ping"}x', "NaN", "\0"],
  ...['{"__proto__":{"type":"ping"}}', '{"type":"ping","type":7}', '{"constructor":1}', `${"[".repeat(5000)}`],
  `${'{"a":'.repeat(2000)}1${"}".repeat(2000)}`,
];

/** One message: mostly near a right one, since what is far off is refused early. */
function spoiled(roll: Dice, right: readonly Json[]): string | Buffer {
  const message = right[roll(right.length)]!;
  const names = Object.keys(message);
  const name = names[roll(names.length)]!;
  const odd = () => ODD[roll(ODD.length)];
  switch (roll(8)) {
    case 0:
      return TEXTS[roll(TEXTS.length)]!;
    case 1:
      return Buffer.from(Array.from({ length: roll(300) }, () => roll(256)));
    case 2: {
      const text = JSON.stringify(message);
      return text.slice(0, roll(text.length));
    }
    case 3: {
      const text = JSON.stringify(message);
      const at = roll(text.length);
      return text.slice(0, at) + String.fromCharCode(roll(0x500)) + text.slice(at + 1);
    }
    case 4:
      return JSON.stringify({ ...message, type: odd() });
    case 5:
      return JSON.stringify({ ...message, [name]: undefined, [JSON.stringify(odd())]: odd() });
    default:
      return JSON.stringify({ ...message, [name]: odd() });
  }
}

const picture = (seed: number) => png(seed, 8, 8).toString("base64");

class Attacker {
  readonly ws: WebSocket;
  readonly texts: string[] = [];
  readonly code: Promise<number>;
  #look = () => {};

  constructor(server: Target, path: string) {
    this.ws = new WebSocket(server.url.replace("http", "ws") + encodeURI(path));
    this.ws.on("message", (data: Buffer) => {
      this.texts.push(data.toString());
      this.#look();
    });
    this.ws.on("error", () => {});
    this.code = once(this.ws, "close").then(([code]) => Number(code));
  }

  static async open(server: Target, path: string, { greets, ping }: Victim): Promise<Attacker> {
    const attacker = new Attacker(server, path);
    if (greets === false) {
      await once(attacker.ws, "open");
      attacker.ws.send(ping);
    }
    await attacker.heard(() => true);
    return attacker;
  }

  /** The first text that fits, from the last but so many on. */
  async heard(fits: (text: string) => boolean, from = 0): Promise<string> {
    for (let at = from; ; at++) {
      while (at >= this.texts.length) {
        await new Promise<void>((resolve) => {
          this.#look = resolve;
        });
      }
      if (fits(this.texts[at]!)) return this.texts[at]!;
    }
  }
}

describe("whatever is sent", () => {
  for (const victim of VICTIMS) {
    test(`GEN-15 GEN-16 GEN-17 GEN-18 GEN-19 GEN-27 ${victim.name ?? victim.face}: refused in its shape, and nobody else notices`, async (t) => {
      const server = await target(t);
      const neighbour = await Attacker.open(server, await victim.place(server), victim);
      const path = await victim.place(server);
      const attackers: Attacker[] = [];
      for (let i = 0; i < SOCKETS; i++) attackers.push(await Attacker.open(server, path, victim));
      const before = neighbour.texts.length;
      let pongs = 0;
      const healthTimesMs: number[] = [];
      const isWell = async () => {
        const startedMs = performance.now();
        const health = await server.send("GET", "/health");
        const healthMs = performance.now() - startedMs;
        assert.equal(health.status, 200);
        await health.arrayBuffer();
        healthTimesMs.push(healthMs);
        const from = neighbour.texts.length;
        neighbour.ws.send(victim.ping);
        await neighbour.heard(victim.isPong, from);
        pongs++;
      };

      const roll = dice(20_261_121);
      const seen = victim.right(picture(1));
      const unseen = victim.right(Buffer.from("no picture").toString("base64"));
      for (let round = 0; round < ROUNDS; round++) {
        for (let i = 0; i < MESSAGES / ROUNDS; i++) {
          // Few that are right, and few whose picture is one: each is decoded and kept.
          const right = i % 500 === 0 ? JSON.stringify(victim.right(picture(i))[0]) : undefined;
          attackers[roll(SOCKETS)]!.ws.send(right ?? spoiled(roll, i % 20 === 1 ? seen : unseen));
        }
        const well = isWell();
        for (const [i, attacker] of attackers.entries()) {
          const last = `the end of round ${round} of ${i}`;
          attacker.ws.send(JSON.stringify({ type: last, source: 5 }));
          await attacker.heard((text) => text.includes(last));
        }
        await well;
      }

      // Not even text, and more than a message may be: these sockets end, for these reasons.
      const endings: [number, () => Attacker][] = [
        [1007, () => attackers[0]!],
        [1009, () => attackers[1]!],
      ];
      attackers[0]!.ws.send(Buffer.of(0xff, 0xfe), { binary: false });
      attackers[1]!.ws.send(Buffer.alloc(2 ** 24 + 1, "a"), { binary: false });
      for (const [code, of] of endings) assert.equal(await of().code, code);
      for (const [i, attacker] of attackers.entries()) {
        const open = i < 2 ? WebSocket.CLOSED : WebSocket.OPEN;
        assert.equal(attacker.ws.readyState, open, `socket ${i}`);
        for (const text of new Set(attacker.texts)) {
          if (text === "pong") continue;
          const said = victim.errorText(JSON.parse(text) as Json);
          if (said === undefined) continue;
          assert.ok(said.length > 0 && said.length < 200, said);
          assert.doesNotMatch(said, /Internal error|\/tmp\/|node_modules|undefined|\.js:|\.ts:|A{65}/);
        }
      }

      for (let i = 0; i < 400; i++) {
        const [method, route] = victim.routes[roll(victim.routes.length)]!;
        const odd = encodeURIComponent(JSON.stringify(ODD[roll(ODD.length - 1)]).replace(/[\ud800-\udfff]/g, "x"));
        const body = method === "POST" ? spoiled(roll, seen) : null;
        const response = await server.send(
          method,
          `/${victim.face}${route.replace("?/", `${odd}/`).replace(/\?$/, odd)}`,
          body,
        );
        const text = await response.text();
        if (response.ok) continue;
        assert.ok(
          response.status < 500 || /maximum number of sessions/.test(text),
          `${method} ${route} ${response.status} ${text}`,
        );
        const { detail } = JSON.parse(text) as Json;
        assert.ok(typeof detail === "string" || Array.isArray(detail), text);
        assert.doesNotMatch(text, /\/tmp\/|node_modules|\.js:|\.ts:/);
      }
      await isWell();
      assert.ok(server.lives());
      // One may fall into a moment in which the machine does something else.
      healthTimesMs.sort((a, b) => a - b);
      const [medianMs, longestMs] = [healthTimesMs[healthTimesMs.length >> 1]!, healthTimesMs.at(-1)!];
      assert.ok(medianMs < 1000 && longestMs < 10_000, `/health took ${medianMs}, at most ${longestMs} ms`);
      t.diagnostic(`/health: median ${medianMs.toFixed(0)} ms, at most ${longestMs.toFixed(0)} ms`);
      const heard = neighbour.texts.slice(before);
      assert.deepEqual([heard.length, heard.every(victim.isPong)], [pongs, true], heard.slice(0, 3).join("\n"));
      for (const { ws } of [neighbour, ...attackers]) ws.terminate();
    });
  }
});
