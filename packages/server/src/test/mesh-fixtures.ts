/** For tests: STL files whose figures are known, a watched folder, and a client of the socket. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import { type TestServer, testServer } from "./test-server.ts";

type Point = readonly [number, number, number];
type Facet = readonly [Point, Point, Point];
export type Message = Record<string, unknown> & { event: string };

const CORNERS: readonly Point[] = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i & 1, (i >> 1) & 1, i >> 2]);
const SIDES = ["0264", "1573", "0451", "2376", "0132", "4675"];

/** Side 1: 8 vertices, 12 faces, volume 1, area 6. */
export const CUBE: readonly Facet[] = SIDES.flatMap((side): Facet[] => {
  const [a, b, c, d] = [...side].map((digit) => CORNERS[Number(digit)]!) as [Point, Point, Point, Point];
  return [
    [a, b, c],
    [a, c, d],
  ];
});

/** 4 vertices, 4 faces, volume 1/6, area 1.5 + √3/2. */
export const TETRAHEDRON: readonly Facet[] = [
  [CORNERS[0]!, CORNERS[2]!, CORNERS[1]!],
  [CORNERS[0]!, CORNERS[1]!, CORNERS[4]!],
  [CORNERS[0]!, CORNERS[4]!, CORNERS[2]!],
  [CORNERS[1]!, CORNERS[2]!, CORNERS[4]!],
];

/** @param header what the first 80 bytes begin with */
export function binaryStl(facets: readonly Facet[], header = ""): Buffer {
  const bytes = Buffer.alloc(84 + 50 * facets.length);
  bytes.write(header, "latin1");
  bytes.writeUInt32LE(facets.length, 80);
  for (const [i, facet] of facets.entries()) {
    for (const [k, value] of facet.flat().entries()) bytes.writeFloatLE(value, 84 + 50 * i + 12 + 4 * k);
  }
  return bytes;
}

export function textStl(facets: readonly Facet[]): string {
  const corners = (facet: Facet) => facet.map((point) => `      vertex ${point.join(" ")}\n`).join("");
  const loops = facets.map((f) => `  facet normal 0 0 0\n    outer loop\n${corners(f)}    endloop\n  endfacet\n`);
  return `solid thing\n${loops.join("")}endsolid thing\n`;
}

/** A cube that is told from others by its size. */
export function sizedCube(edge: number): Buffer {
  return binaryStl(CUBE.map((facet) => facet.map((point) => point.map((value) => value * edge)) as never));
}

export async function meshFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "cairn-meshes-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export async function meshServer(t: TestContext): Promise<{ server: TestServer; dir: string }> {
  const dir = await meshFolder(t);
  return { server: await testServer(t, { meshFolders: [{ name: "current", dir }] }), dir };
}

/** Moves a file into place, as careful programs do. */
export async function place(dir: string, name: string, bytes: Buffer | string): Promise<void> {
  const temporary = join(dir, `.${name}.tmp`);
  await writeFile(temporary, bytes);
  await rename(temporary, join(dir, name));
}

export class MeshUser {
  readonly ws: WebSocket;
  readonly heard: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #waiting = new Set<() => void>();

  constructor(port: number, query = "", path = "/ws/meshes") {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}${query}`);
    this.ws.on("message", (data: Buffer) => {
      this.heard.push(JSON.parse(data.toString()) as Message);
      for (const look of this.#waiting) look();
    });
    this.ws.on("error", () => {});
    this.closed = once(this.ws, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  }

  /** The first so many messages that fit. */
  async until(fits: (message: Message) => boolean, count = 1): Promise<Message[]> {
    const found = () => this.heard.filter(fits);
    while (found().length < count) {
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
    return found().slice(0, count);
  }

  of(event: string, count = 1): Promise<Message[]> {
    return this.until((message) => message.event === event, count);
  }

  async about(design: string, event = "new_mesh", count = 1): Promise<Message> {
    const found = await this.until((each) => each.event === event && each.design_id === design, count);
    return found.at(-1)!;
  }

  async tell(message: object | string | Buffer): Promise<void> {
    if (this.ws.readyState === WebSocket.CONNECTING) await once(this.ws, "open");
    this.ws.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }
}

export type Row = Record<string, unknown> & { design_id: string };

/** Of an answer that is a success. */
export async function json<T>(server: TestServer, path: string): Promise<T> {
  const response = await server.send("GET", path);
  assert.equal(response.status, 200, path);
  return (await response.json()) as T;
}

/** A server with a folder, and a client that is connected until the test ends. */
export async function watchedServer(t: TestContext): Promise<{ server: TestServer; dir: string; user: MeshUser }> {
  const { server, dir } = await meshServer(t);
  const user = await watcher(server);
  t.after(() => user.ws.close());
  return { server, dir, user };
}

/** A client that is connected. */
export async function watcher(server: TestServer, query = ""): Promise<MeshUser> {
  const user = new MeshUser(server.port, query);
  await user.of("connection_ack");
  return user;
}
