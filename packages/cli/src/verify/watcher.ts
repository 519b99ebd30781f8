/**
 * A viewer that trusts nobody: it speaks the live protocol itself (docs/spec/live.md), counts every byte, checks that no
 * seq is skipped, and says by one hash which points it holds. It shares no code with the SDK that it would have to trust.
 */
import { createHash } from "node:crypto";
import type { CairnApi } from "@cairn/client";
import { decodeLayerIndex, decodePackHead, decodeSegment, LayerTable, type NodePoints, type Part } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  canonicalState,
  type Digest,
  decodeRangeFrame,
  emptyState,
  encodeHaveFrame,
  type HaveFrame,
  type LayerState,
  LIVE_VERSION,
  type Seq,
  type ServerMessage,
  type SpaceState,
  shownLayers,
} from "@cairn/protocol";
import { WebSocket } from "ws";

const CREDIT_BYTES = 256 * 1024;
const HANDSHAKE_MS = 10_000;

export class Watcher {
  readonly #api: CairnApi;
  readonly #space: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;
  #socket: WebSocket | undefined;
  #state: SpaceState = emptyState();
  #listeners = new Set<() => void>();
  /** Segments held, by the hash of their bytes. */
  readonly #segments = new Map<string, Uint8Array>();
  readonly #ranges = new Map<string, Uint8Array>();
  /** As of the last `points()`. */
  readonly #tables = new Map<number, LayerTable>();
  #spentBytes = 0;
  seq: Seq = 0;
  epoch: string | undefined;
  /** Of the last welcome. */
  recovered: boolean | undefined;
  /** Seqs that were skipped without a word. */
  gaps = 0;
  pushedBytes = 0;
  pulledBytes = 0;
  closed: { code: number; reason: string } | undefined;

  /** @param signal nothing is waited for any more */
  constructor(api: CairnApi, space: string, token: string | undefined, signal: AbortSignal) {
    this.#api = api;
    this.#space = space;
    this.#token = token;
    this.#signal = signal;
  }

  get state(): SpaceState {
    return this.#state;
  }

  /** The state as one short text: equal for equal states. */
  get stateHash(): string {
    return createHash("sha256").update(canonicalState(this.#state)).digest("hex").slice(0, 16);
  }

  /** Comes in, or comes back where it was; resolves with the welcome. */
  async open({ name, channels }: { name?: string; channels?: readonly string[] } = {}): Promise<void> {
    const held = this.#held();
    const headers = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const socket = new WebSocket(this.#api.liveUrl(this.#space), {
      headers,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#socket = socket;
    this.closed = undefined;
    this.recovered = undefined;
    socket.binaryType = "nodebuffer";
    socket.on("message", (data: Buffer, binary: boolean) => this.#receive(data, binary));
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#tell();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    const hello = {
      type: "hello",
      version: LIVE_VERSION,
      credit: CREDIT_BYTES,
      ...(name && { name }),
      ...(channels && { channels }),
    };
    const back = this.epoch === undefined ? {} : { after: this.seq, epoch: this.epoch };
    socket.send(JSON.stringify({ ...hello, ...back }));
    for (const have of held) socket.send(encodeHaveFrame(have));
    socket.send(JSON.stringify({ type: "view" }));
    await this.until(() => this.recovered !== undefined || this.closed !== undefined, 10_000, "welcome");
  }

  /** Gone without a word, as a phone in a tunnel is. */
  drop(): void {
    this.#socket?.removeAllListeners();
    this.#socket?.on("error", () => {});
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /** Stops taking anything from the network. */
  stall(): void {
    this.#socket?.pause();
  }

  wake(): void {
    this.#socket?.resume();
  }

  /** Says something to all who listen on the channel; nobody keeps it. */
  signal(channel: string, data: string): void {
    this.#socket?.send(JSON.stringify({ type: "signal", channel, data }));
  }

  /** @throws {Error} `what` did not come within `limitMs`; the signal's reason */
  async until(holds: () => boolean, limitMs: number, what: string): Promise<void> {
    this.#signal.throwIfAborted();
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!holds()) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${what} did not come within ${limitMs / 1000} s`));
      }, limitMs);
      const abort = () => {
        done();
        reject(this.#signal.reason);
      };
      const done = () => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        this.#signal.removeEventListener("abort", abort);
      };
      this.#listeners.add(look);
      this.#signal.addEventListener("abort", abort);
    });
  }

  /** Waits until nothing has been pushed for `quietMs`: what still misses then has to be pulled. */
  async pushesSettled(quietMs = 700): Promise<void> {
    for (let last = -1; last !== this.pushedBytes; ) {
      last = this.pushedBytes;
      await new Promise((resolve) => setTimeout(resolve, quietMs));
    }
  }

  /**
   * Pulls what was not pushed and answers a hash over every point of every layer shown, whatever packs or compacted
   * nodes they came in. `neededBytes`: of all segments and directories.
   */
  async points(): Promise<{ hash: string; count: number; neededBytes: number }> {
    const hash = createHash("sha256");
    let count = 0;
    let neededBytes = 0;
    for (const layer of shownLayers(this.#state)) {
      const { table, sizeBytes } = await this.#table(layer);
      neededBytes += sizeBytes;
      for (const key of [...table.nodes.keys()].sort()) {
        const records: string[] = [];
        for (const part of table.nodes.get(key)?.parts ?? []) {
          neededBytes += part.end - part.start;
          records.push(...recordsOf(decodeSegment(await this.#segment(part))));
        }
        count += records.length;
        hash.update(`${layer.layer} ${key} ${records.sort().join(";")}\n`);
      }
    }
    return { hash: hash.digest("hex").slice(0, 16), count, neededBytes };
  }

  #receive(data: Buffer, binary: boolean): void {
    if (binary) {
      const { blob, start, bytes } = decodeRangeFrame(data);
      this.pushedBytes += bytes.length;
      this.#ranges.set(`${blob}/${start}`, bytes);
      this.#segments.set(hashOf(bytes), bytes);
      this.#spentBytes += bytes.length;
      if (this.#spentBytes >= CREDIT_BYTES / 4) {
        this.#socket?.send(JSON.stringify({ type: "credit", bytes: this.#spentBytes }));
        this.#spentBytes = 0;
      }
      this.#tell();
      return;
    }
    const message = JSON.parse(data.toString()) as ServerMessage;
    if (message.type === "welcome") this.recovered = message.recovered;
    else if (message.type === "snapshot") {
      this.#state = message.state;
      this.seq = message.seq;
      this.epoch = message.epoch;
    } else if (message.type === "events") this.#fold(message.events, message.after);
    this.#tell();
  }

  #fold(events: readonly CairnEvent[], after: Seq | undefined): void {
    // A message with `after` says which superseded events it leaves out.
    if (after !== undefined && after > this.seq) this.gaps += after - this.seq;
    for (const event of events) {
      if (event.seq <= this.seq) continue;
      if (after === undefined && event.seq !== this.seq + 1) this.gaps += event.seq - this.seq - 1;
      applyEvent(this.#state, event);
      this.seq = event.seq;
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async #table({
    layer,
    origin,
    seed,
    finest,
    index,
    packs,
  }: LayerState): Promise<{ table: LayerTable; sizeBytes: number }> {
    const table = new LayerTable({ origin, seed, finest });
    let sizeBytes = 0;
    if (index) {
      sizeBytes += index.sizeBytes;
      const bytes = await this.#range(index.index, 0, index.sizeBytes);
      table.applyIndex(await decodeLayerIndex(bytes), index.packs);
    }
    for (const { blob, headBytes, pack } of packs) {
      if (pack < table.packs) throw new Error(`layer ${layer}: pack ${pack} came out of order`);
      sizeBytes += headBytes;
      table.applyPack(await decodePackHead(await this.#range(blob, 0, headBytes), blob));
    }
    this.#tables.set(layer, table);
    return { table, sizeBytes };
  }

  async #segment(part: Part): Promise<Uint8Array> {
    const known = this.#segments.get(part.hash);
    if (known) return known;
    const bytes = await this.#range(part.blob, part.start, part.end);
    if (hashOf(bytes) !== part.hash) throw new CairnError("blob.corrupt", { digest: part.blob });
    this.#segments.set(part.hash, bytes);
    return bytes;
  }

  async #range(digest: Digest, start: number, end: number): Promise<Uint8Array> {
    const key = `${digest.slice(0, 16)}/${start}`;
    const known = this.#ranges.get(key);
    if (known && known.length === end - start) return known;
    const headers = { range: `bytes=${start}-${end - 1}` };
    const answer = await this.#api.call("GET", `/v1/blobs/${digest}`, { headers });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    this.pulledBytes += bytes.length;
    this.#ranges.set(key, bytes);
    return bytes;
  }

  /** Of the points held, those that a server may leave out: a whole prefix of each node. */
  #held(): HaveFrame[] {
    return [...this.#tables].map(([layer, { list }]) => ({
      layer,
      nodes: list.flatMap(({ id, parts }) => {
        const missing = parts.findIndex(({ hash }) => !this.#segments.has(hash));
        const held = missing < 0 ? parts : parts.slice(0, missing);
        const points = held.reduce((sum, part) => sum + part.points, 0);
        return points > 0 ? [{ ...id, points }] : [];
      }),
    }));
  }
}

/** Each point as text in which equal points are equal: place in the node, colour, photo. */
function recordsOf({ count, bits, coords, colors, photos }: NodePoints): string[] {
  return Array.from({ length: count }, (_, i) => {
    const place = `${coords[3 * i]},${coords[3 * i + 1]},${coords[3 * i + 2]}/${bits}`;
    const color = `${colors[3 * i]},${colors[3 * i + 1]},${colors[3 * i + 2]}`;
    return `${place} ${color} ${typeof photos === "number" ? photos : photos[i]}`;
  });
}
