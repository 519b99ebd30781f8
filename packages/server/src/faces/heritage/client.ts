/**
 * One heritage socket: the initial block, then every step of the project, with answers to what it sends in between.
 * One loop sends everything but signs of life and errors, so that a block is never broken and nothing is told twice.
 */
import { setImmediate } from "node:timers/promises";
import type { ImageReceipt } from "@cairn/protocol";
import type { FastifyBaseLogger } from "fastify";
import { type FaceSocket, shownType } from "../face-socket.ts";
import type { PointSet, Step } from "./progress.ts";
import type { Project } from "./project.ts";
import type { Shards } from "./shards.ts";
import type { SharedTexts } from "./shared-texts.ts";
import { isoMillis } from "./times.ts";
import { type Refused, readUpload, refOf } from "./upload.ts";

type Processed = Extract<Step, { kind: "processed" }>;

export type ClientHouse = {
  readonly shards: Shards;
  readonly log: FastifyBaseLogger;
  /** Encoded messages of steps, shared by all sockets: asked for by many, encoded once. */
  readonly encoded: SharedTexts;
  /** Resolves when the photo is durable. @throws why it was refused */
  ingest(project: Project, photo: { bytes: Buffer; name: string }, signal: AbortSignal): Promise<ImageReceipt>;
  refusal(error: unknown): Refused;
};

export class HeritageClient {
  readonly #house: ClientHouse;
  readonly #socket: FaceSocket;
  readonly #project: Project;
  readonly #answers: object[] = [];
  /** Blocks that are wanted: the first, and one for each that was asked for. */
  #blocks = 1;
  /** The upload in hand: its acknowledgement goes before that it is processed. */
  #uploading: Promise<void> | undefined;
  #wake = () => {};

  constructor(house: ClientHouse, socket: FaceSocket, project: Project) {
    this.#house = house;
    this.#socket = socket;
    this.#project = project;
    socket.listen((message) => this.#take(message));
  }

  /** Until the socket is over. */
  async run(): Promise<void> {
    const { signal } = this.#socket;
    const leave = this.#project.onStep(() => this.#wake());
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    let position = 0;
    try {
      while (!signal.aborted) {
        await this.#sendAnswers();
        if (this.#blocks > 0 || !this.#project.isKept(position)) {
          this.#blocks = Math.max(0, this.#blocks - 1);
          position = await this.#block();
          continue;
        }
        const step = this.#project.at(position);
        if (step) position = await this.#tell(step, position);
        else await this.#news();
      }
    } finally {
      leave();
    }
  }

  async #take(message: Readonly<Record<string, unknown>>): Promise<void> {
    switch (message.type) {
      case "upload_image":
        if (!this.#socket.may("contribute", refOf(message))) return;
        this.#uploading = this.#upload(message);
        await this.#uploading;
        this.#uploading = undefined;
        return;
      case "request_resync":
        this.#blocks++;
        this.#wake();
        return;
      default:
        this.#socket.error(`Unknown message type: ${shownType(message.type)}`);
    }
  }

  async #upload(message: Readonly<Record<string, unknown>>): Promise<void> {
    const ref = refOf(message);
    try {
      // Goes on when the socket closes: closing it cancels none of its uploads.
      const receipt = await this.#house.ingest(this.#project, readUpload(message), this.#project.space.signal);
      const told = { type: "upload_acknowledged", image_id: receipt.image, message: ACKNOWLEDGED, ...ref };
      this.#answers.push(told);
      this.#wake();
    } catch (error) {
      const { text, facts } = this.#house.refusal(error);
      this.#socket.error(text, { ...facts, ...ref });
    }
  }

  async #sendAnswers(): Promise<void> {
    for (let next = this.#answers.shift(); next; next = this.#answers.shift()) await this.#socket.send(next);
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const { aborted } = this.#socket.signal;
      if (aborted || this.#blocks > 0 || this.#answers.length > 0) resolve();
    });
    this.#wake = () => {};
  }

  /** The newest whole set and what came after it. @returns the position from which on steps follow (HER-9) */
  async #block(): Promise<number> {
    const { progress, position } = this.#project;
    const { total, epoch, sets } = progress;
    const lists = await Promise.all(sets.map((set) => this.#list(set)));
    const shards = sets.flatMap((set, i) => lists[i]!.map((points, index) => ({ set, index, points })));
    const head = { total_shards: shards.length, total_images: total, epoch };
    await this.#socket.send({ type: "initial_state_starting", ...head });
    for (const [shard_index, { set, index, points }] of shards.entries()) {
      if (this.#socket.signal.aborted) return position;
      const total_shards = shards.length;
      const place = `${set.key}/${index}/${shard_index} of ${total_shards}`;
      const message = await this.#house.encoded.of(`${this.#project.space.id}/${place}`, async () => {
        const shard_data = await this.#shard(set, index);
        return { type: "initial_state_shard", shard_index, total_shards, shard_data, points };
      });
      if (message) await this.#socket.send(message);
      else this.#lost(shard_index);
    }
    await this.#socket.send({ type: "initial_state_complete", total_images: total, epoch });
    return position;
  }

  /** @returns the position of the next step */
  async #tell(step: Step, position: number): Promise<number> {
    // What this socket has sent is acknowledged before it is told to be processed (HER-15).
    await this.#uploading;
    await this.#sendAnswers();
    if (step.kind === "started") {
      await this.#socket.send({ type: "processing_started", image_id: step.image });
      return position + 1;
    }
    if (step.kind === "failed") {
      const message = `Reconstruction failed: ${step.cause}`;
      await this.#socket.send({ type: "error", message, image_id: step.image });
      return position + 1;
    }
    return this.#points(step, position);
  }

  async #points(step: Processed, position: number): Promise<number> {
    const { image, full, sequence, total, epoch, points: set } = step;
    const counts = await this.#list(set);
    if (full) {
      const reason = `${sequence} updates reached - full reconstruction`;
      await this.#socket.send({ type: "refetch_starting", reason, total_shards: counts.length, sequence, epoch });
    }
    for (const index of counts.keys()) {
      if (this.#socket.signal.aborted) return position;
      // A newer whole set replaces what was not sent of this one (HER-35); what else was to be told still is (HER-17).
      if (full && index > 0 && this.#project.hasFullAfter(position)) break;
      await this.#sendAnswers();
      const message = await this.#house.encoded.of(`${this.#project.space.id}/${set.key}/${index}`, async () => {
        const shard_data = await this.#shard(set, index);
        return {
          type: "shard_update",
          sequence,
          shard_index: index,
          total_shards: counts.length,
          is_full_refetch: full,
          shard_data,
          timestamp: isoMillis(step.timeNs),
          points: counts[index],
          epoch,
          image_id: image,
        };
      });
      if (message) await this.#socket.send(message);
      else this.#lost(index);
    }
    await this.#socket.send({
      type: "processing_complete",
      image_id: image,
      sequence,
      total_images: total,
      epoch,
    });
    await setImmediate();
    return position + 1;
  }

  /** Vertices of each shard; one shard that cannot be made is one that is told as lost. */
  async #list(set: PointSet): Promise<readonly number[]> {
    try {
      return (await this.#house.shards.list(this.#project.space.id, set)).counts;
    } catch (error) {
      this.#house.log.error({ err: error, project: this.#project.space.id }, "shards could not be made");
      return [0];
    }
  }

  /** @throws when its points cannot be read back */
  async #shard(set: PointSet, index: number): Promise<string> {
    return (await this.#house.shards.read(this.#project.space.id, set, index)).toString("base64");
  }

  #lost(index: number): void {
    this.#socket.error(`Failed to stream shard ${index}`, { error: "its points could not be read back" });
  }
}

const ACKNOWLEDGED = "Image received, processing...";
