/** For tests: a live door over a real core in a temporary folder, and raw clients. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Core, openCore, type Space } from "@cairn/core";
import type { EventDraft, ServerMessage } from "@cairn/protocol";
import { type ClientOptions, WebSocket } from "ws";
import { openUpgrades, type UpgradeOptions, type Upgrades } from "../http/upgrades.ts";
import type { LiveContext } from "../live/live-context.ts";
import { type LiveDoor, openLive } from "../live/live-door.ts";

export type TestDoor = {
  core: Core;
  dataDir: string;
  space: Space;
  door: LiveDoor;
  upgrades: Upgrades;
  server: Server;
  url: string;
  port: number;
  /** What was logged as an error. */
  errors: object[];
  close(): Promise<void>;
};

export async function openDoor(
  { upgrades, ...overrides }: Partial<LiveContext> & { upgrades?: UpgradeOptions } = {},
  { dataDir, port: wantedPort = 0 }: { dataDir?: string; port?: number } = {},
): Promise<TestDoor> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), "cairn-live-")));
  const core = await openCore({ dataDir: folder });
  const existing = (await core.spaces.list()).some(({ id }) => id === "place");
  const space = existing ? await core.spaces.open("place") : await core.spaces.create({ id: "place" });
  const errors: object[] = [];
  const context: LiveContext = {
    core,
    ingest: () => Promise.reject(new Error("no ingest in this test")),
    startOperation: () => Promise.reject(new Error("no operations in this test")),
    log: { warn: () => {}, error: (facts) => errors.push(facts) },
    ...overrides,
  };
  const server = createServer();
  const door = openLive(context);
  const upgrading = openUpgrades(upgrades);
  upgrading.attach(server, [door.route]);
  await new Promise<void>((resolve) => server.listen(wantedPort, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    core,
    dataDir: folder,
    space,
    door,
    upgrades: upgrading,
    server,
    port,
    url: `ws://127.0.0.1:${port}/v1/spaces/place/live`,
    errors,
    async close() {
      await door.close(200);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await core.close();
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client that keeps what it got and lets a test wait for more. */
export class RawClient {
  readonly ws: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly binary: Buffer[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #look: (() => void)[] = [];

  constructor(url: string, options: ClientOptions & { protocols?: string[] } = {}) {
    this.ws = new WebSocket(url, options.protocols ?? [], { perMessageDeflate: false, ...options });
    this.ws.on("message", (data: Buffer, binary: boolean) => {
      if (binary) this.binary.push(data);
      else this.messages.push(JSON.parse(data.toString()) as ServerMessage);
      for (const look of this.#look) look();
    });
    this.ws.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.ws.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  static async open(url: string, hello?: object, options: ClientOptions = {}): Promise<RawClient> {
    const client = new RawClient(url, options);
    await new Promise<void>((resolve, reject) => {
      client.ws.once("open", resolve);
      client.ws.once("error", reject);
    });
    if (hello) client.send({ type: "hello", version: 1, ...hello });
    return client;
  }

  send(message: unknown): void {
    this.ws.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Resolves as soon as `found` gives something for what has arrived. */
  until<T>(found: (client: RawClient) => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = found(this);
        if (value === undefined || value === false) return;
        this.#look = this.#look.filter((each) => each !== look);
        resolve(value);
      };
      this.#look.push(look);
      void this.closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
      look();
    });
  }

  of<T extends ServerMessage["type"]>(type: T): Extract<ServerMessage, { type: T }>[] {
    return this.messages.filter((message): message is Extract<ServerMessage, { type: T }> => message.type === type);
  }

  /** Seqs of the events that arrived, in the order in which they did. */
  get seqs(): number[] {
    return this.of("events").flatMap(({ events }) => events.map(({ seq }) => seq));
  }

  untilSeq(seq: number): Promise<true> {
    return this.until(
      ({ seqs, messages }) =>
        (seqs.at(-1) ?? 0) >= seq || messages.some((each) => each.type === "snapshot" && each.seq >= seq),
    );
  }
}

export function renamed(title: string): EventDraft {
  return { type: "space.renamed", data: { title } };
}
