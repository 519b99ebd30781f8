/**
 * Points as heritage clients take them: binary PLY files of at most 65,536 vertices, coarse first. Made once from the
 * packs that brought the points, kept in a cache, and the same bytes for everybody. Rules HER-31 to HER-34.
 */
import { setImmediate } from "node:timers/promises";
import { decodePackHead, decodeSegment, modelFromLayer, movePoints, type Part, positionsOf } from "@cairn/cloud";
import { readPart } from "@cairn/core";
import type { PosedCamera } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import type { FileCache } from "../../file-cache.ts";
import type { PackRef, PointSet } from "./progress.ts";

/** So that a file stays under a million bytes. */
const SHARD_POINTS = 65_536;
const VERTEX_BYTES = 15;
/** Shards held in memory for those who are being sent them now. */
const HELD_BYTES = 32 * 2 ** 20;

export type ShardList = {
  /** Vertices of each shard; at least one shard. */
  readonly counts: readonly number[];
};

export class Shards {
  readonly #blobs: ServerContext["core"]["blobs"];
  readonly #cache: FileCache;
  /** Being made: asked for by many, made once. */
  readonly #making = new Map<string, Promise<ShardList>>();
  readonly #held = new Map<string, Buffer>();
  #heldBytes = 0;

  constructor(blobs: ServerContext["core"]["blobs"], cache: FileCache) {
    this.#blobs = blobs;
    this.#cache = cache;
  }

  /** @param project names the space: keys of sets are its own */
  async list(project: string, set: PointSet): Promise<ShardList> {
    const name = `${project}/${set.key}`;
    const known = this.#making.get(name);
    if (known) return known;
    const making = this.#listNow(name, set).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    return making;
  }

  /** A whole PLY file. @throws {CairnError} `blob.missing`, `blob.corrupt` when its points are lost */
  async read(project: string, set: PointSet, index: number): Promise<Buffer> {
    const name = `${project}/${set.key}`;
    const key = `${name}/${index}`;
    const held = this.#held.get(key) ?? (await this.#cache.get(key));
    if (held) return this.#hold(key, Buffer.from(held.buffer, held.byteOffset, held.length));
    // Let go of meanwhile: all of them are made again.
    let made: Buffer | undefined;
    await this.#make(name, set, (bytes, at) => {
      if (at === index) made = bytes;
    });
    if (!made) throw new RangeError(`${name} has no shard ${index}`);
    return made;
  }

  async #listNow(name: string, set: PointSet): Promise<ShardList> {
    const kept = await this.#cache.get(name);
    if (kept) return JSON.parse(Buffer.from(kept).toString()) as ShardList;
    return this.#make(name, set);
  }

  async #make(
    name: string,
    { packs, frame }: PointSet,
    onMade: (bytes: Buffer, index: number) => void = () => {},
  ): Promise<ShardList> {
    const counts: number[] = [];
    const keep = async (bytes: Buffer, count: number) => {
      const key = `${name}/${counts.length}`;
      onMade(bytes, counts.length);
      counts.push(count);
      this.#hold(key, bytes);
      await this.#cache.put(key, bytes);
    };
    let vertices: Buffer[] = [];
    let held = 0;
    for await (const run of this.#vertices(packs, frame)) {
      let rest = run;
      while (held + rest.length / VERTEX_BYTES >= SHARD_POINTS) {
        const cut = (SHARD_POINTS - held) * VERTEX_BYTES;
        await keep(plyOf([...vertices, rest.subarray(0, cut)]), SHARD_POINTS);
        vertices = [];
        held = 0;
        rest = rest.subarray(cut);
      }
      if (rest.length > 0) vertices.push(rest);
      held += rest.length / VERTEX_BYTES;
    }
    if (held > 0 || counts.length === 0) await keep(plyOf(vertices), held);
    const list = { counts };
    await this.#cache.put(name, Buffer.from(JSON.stringify(list)));
    return list;
  }

  /** The points of all packs, the coarsest nodes first, as vertices of a PLY file. */
  async *#vertices(packs: readonly PackRef[], frame: PosedCamera["pose"] | undefined): AsyncGenerator<Buffer> {
    const parts: { part: Part; exponent: number; pack: PackRef }[] = [];
    for (const pack of packs) {
      const head = await this.#blobs.range(pack.blob, 0, pack.headBytes);
      for (const { node, part } of decodePackHead(head, pack.blob).parts) parts.push({ part, exponent: node.e, pack });
    }
    parts.sort((a, b) => b.exponent - a.exponent);
    const toFrame = frame && modelFromLayer({ transform: { scale: 1, ...frame } });
    for (const { part, pack } of parts) {
      const points = decodeSegment(await readPart(this.#blobs, part));
      const positions = positionsOf(points, pack.origin);
      if (pack.transform) movePoints(modelFromLayer(pack), positions, positions);
      if (toFrame) movePoints(toFrame, positions, positions);
      yield verticesOf(positions, points.colors);
      await setImmediate(); // others are served in between
    }
  }

  #hold(key: string, bytes: Buffer): Buffer {
    if (!this.#held.has(key)) this.#heldBytes += bytes.length;
    this.#held.delete(key);
    this.#held.set(key, bytes);
    for (const [oldest, { length }] of this.#held) {
      if (this.#heldBytes <= HELD_BYTES || oldest === key) break;
      this.#held.delete(oldest);
      this.#heldBytes -= length;
    }
    return bytes;
  }
}

function verticesOf(positions: Float64Array, colors: Uint8Array): Buffer {
  const count = positions.length / 3;
  const bytes = Buffer.alloc(count * VERTEX_BYTES);
  for (let i = 0, at = 0; i < count; i++, at += VERTEX_BYTES) {
    for (let axis = 0; axis < 3; axis++) {
      bytes.writeFloatLE(positions[3 * i + axis]!, at + 4 * axis);
      bytes[at + 12 + axis] = colors[3 * i + axis]!;
    }
  }
  return bytes;
}

/** Exactly the header that the contract shows: x y z as float, red green blue as uchar, nothing else. */
export function plyOf(vertices: readonly Buffer[]): Buffer {
  const bytes = vertices.reduce((sum, { length }) => sum + length, 0);
  const header = [
    "ply",
    "format binary_little_endian 1.0",
    `element vertex ${bytes / VERTEX_BYTES}`,
    ...["x", "y", "z"].map((axis) => `property float ${axis}`),
    ...["red", "green", "blue"].map((color) => `property uchar ${color}`),
    "end_header",
  ];
  return Buffer.concat([Buffer.from(`${header.join("\n")}\n`), ...vertices]);
}
