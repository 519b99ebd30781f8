/**
 * One depth session: a space with parameters, the requests that wait for it, and the sockets that hear of it. What must
 * outlive the process (parameters, results, unfinished requests) is in the space's labels and log.
 */
import type { Space } from "@cairn/core";
import { CairnError, CLOSE, type Id, type ImageState, type Labels, nsToMs } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { type FaceSocket, textOf } from "../face-socket.ts";
import { causeOf } from "../refusal.ts";
import { fileNameFor } from "./file-name.ts";
import { paramsOf, type SessionParams } from "./params.ts";
import { type Done, Run, whatOf } from "./run.ts";

export type Status = "active" | "processing" | "completed" | "error";

/** Something that a client asked for. */
export type Request = {
  readonly kind: "generate" | "finalize";
  readonly incremental: boolean;
  readonly glb: "inline" | "url";
  readonly auto?: boolean;
};

export type SessionHouse = {
  readonly context: ServerContext;
  /** Longest run, ms. */
  readonly runMs: number;
  /** Goes on steadily whatever is done to the wall clock. */
  readonly nowMs: () => number;
};

/** An image on its way in. */
export type Arriving = {
  /** The file name that its sender gave it. */
  readonly wanted: string;
  readonly bytes: Uint8Array;
  /** The sender's own name for it: sent again it is the same image. */
  readonly key?: string | undefined;
};

type Store = (name: string) => Promise<{ image: Id; known: boolean }>;

/** Requests that wait behind the one at work. */
const MOST_WAITING = 4;
/** A socket for which so much waits is not told what passes. */
const MOST_BEHIND_BYTES = 8 * 2 ** 20;

const LABEL = {
  status: "depth.status",
  error: "depth.error",
  /** JSON of the requests, the one at work first, so that a restart begins it again and goes on with the others. */
  requests: "depth.requests",
  glb: "depth.result.glb",
  metadata: "depth.result.metadata",
  images: "depth.result.images",
  of: "depth.result.of",
} as const;

export class Session {
  readonly space: Space;
  readonly params: SessionParams;
  readonly sockets = new Set<FaceSocket>();
  activeMs = Date.now();
  /** The same on a clock that nobody sets: idleness goes by it. */
  #steadyMs: number;
  readonly #house: SessionHouse;
  /** The first is at work, or is being noted as done. */
  readonly #requests: Request[] = [];
  /** Names of images that are being stored. */
  readonly #taking = new Set<string>();
  /** Images that are being stored, by key: the last sending of each. */
  readonly #arriving = new Map<string, Promise<unknown>>();
  #firstIsDone = false;
  #working = false;

  constructor(house: SessionHouse, space: Space) {
    const params = paramsOf(space.log.snapshot().state.labels);
    if (!params) throw new RangeError(`${space.id} is no session`);
    this.#house = house;
    this.space = space;
    this.params = params;
    this.#steadyMs = house.nowMs();
    // Also when it is deleted as a space; a server that stops closes its sockets itself.
    const onEnd = () => {
      const { reason } = space.signal;
      const stops = reason instanceof CairnError && reason.code === "server.stopping";
      if (!stops) this.end("Session deleted", CLOSE.normal);
    };
    space.signal.addEventListener("abort", onEnd, { once: true });
    const cutOff = this.#labels[LABEL.requests];
    if (typeof cutOff === "string" && cutOff) this.#requests.push(...(JSON.parse(cutOff) as Request[]));
    if (this.#requests.length > 0) void this.#work();
  }

  get #labels(): Labels {
    return this.space.log.snapshot().state.labels ?? {};
  }

  get createdS(): number {
    return nsToMs(this.space.log.snapshot().state.createdNs) / 1000;
  }

  get status(): Status {
    if (this.#requests.length > 0) return "processing";
    return (this.#labels[LABEL.status] as Status | undefined) || "active";
  }

  get errorMessage(): string | null {
    return (this.status === "error" && (this.#labels[LABEL.error] as string)) || null;
  }

  /** In the order of upload. */
  get images(): ImageState[] {
    return Object.values(this.space.log.snapshot().state.images);
  }

  get result(): Omit<Done, "fresh"> | undefined {
    const { [LABEL.glb]: glb, [LABEL.metadata]: metadata, [LABEL.images]: images, [LABEL.of]: of } = this.#labels;
    return glb ? { glb: String(glb), metadata: String(metadata), images: Number(images), of: String(of) } : undefined;
  }

  touch(): void {
    this.activeMs = Date.now();
    this.#steadyMs = this.#house.nowMs();
  }

  get idleMs(): number {
    return this.#house.nowMs() - this.#steadyMs;
  }

  /**
   * Stores an image under a name of its own, whatever else is being stored. One that is there already, as `known` says,
   * keeps the name that it has: sent again while it is being stored, it waits until that has gone well or not.
   * @returns the name, and how many images there are with this one
   */
  take(image: Arriving, store: Store): Promise<{ name: string; count: number; known: boolean }> {
    const { key } = image;
    if (key === undefined) return this.#takeNow(image, store);
    const before = this.#arriving.get(key)?.catch(() => undefined);
    const taken = before ? before.then(() => this.#takeNow(image, store)) : this.#takeNow(image, store);
    this.#arriving.set(key, taken);
    return taken.finally(() => {
      if (this.#arriving.get(key) === taken) this.#arriving.delete(key);
    });
  }

  async #takeNow({ wanted, bytes }: Arriving, store: Store) {
    const wished = fileNameFor(wanted, bytes, [...this.images.map((image) => image.name), ...this.#taking]);
    this.#taking.add(wished);
    try {
      const { image, known } = await store(wished);
      const { images } = this;
      const at = images.findIndex((each) => each.image === image);
      // Also one that is there: its first sending may have ended between the two.
      if (!known || this.result?.of !== whatOf(images)) await this.#reopen();
      if (known) return { name: images[at]?.name ?? wished, count: images.length, known };
      return { name: wished, count: at + 1, known };
    } finally {
      this.#taking.delete(wished);
    }
  }

  /** False when too many wait. */
  ask(request: Request): boolean {
    if (this.#requests.length > MOST_WAITING) return false;
    this.#requests.push(request);
    if (!this.#working) void this.#work();
    // What cannot be written down is done all the same, unless the server ends first.
    else this.space.label(this.#pending()).catch(() => undefined);
    return true;
  }

  /**
   * To all sockets of the session. @param passing something newer replaces it soon: one that is behind is not told, so
   * that what waits for it stays bounded (GEN-22); what ends a run everybody is told.
   */
  tell(message: object, { passing = false } = {}): void {
    const text = textOf(message);
    for (const socket of this.sockets) {
      if (!passing || socket.waitingBytes < MOST_BEHIND_BYTES) void socket.send(text);
    }
  }

  /** Says why, and closes every socket. */
  end(message: string, code: number): void {
    for (const socket of this.sockets) {
      socket.error(message);
      socket.close(code, code === CLOSE.normal ? "" : message);
    }
  }

  /** An image that is not in the result reopens a session that had ended. */
  async #reopen(): Promise<void> {
    const { status } = this;
    if (status === "completed" || status === "error") await this.space.label({ [LABEL.status]: "active" });
  }

  /** What a restart goes on with. */
  #pending(): Labels {
    const pending = this.#firstIsDone ? this.#requests.slice(1) : this.#requests;
    return { [LABEL.requests]: pending.length > 0 ? JSON.stringify(pending) : "" };
  }

  /** One after the other, as long as there are any. */
  async #work(): Promise<void> {
    this.#working = true;
    for (let next = this.#requests[0]; next && !this.space.signal.aborted; next = this.#requests[0]) {
      await this.#serve(next);
    }
    this.#working = false;
  }

  async #serve(request: Request): Promise<void> {
    const { log } = this.#house.context;
    const run = new Run(this.#house, this, request);
    try {
      await this.space.label(this.#pending());
      const done = await run.work();
      const labels: Labels = { [LABEL.status]: request.kind === "finalize" ? "completed" : "active" };
      if (done.fresh) {
        labels[LABEL.glb] = done.glb;
        labels[LABEL.metadata] = done.metadata;
        labels[LABEL.images] = done.images;
        labels[LABEL.of] = done.of;
      }
      await this.#end(labels);
      await run.complete(done);
    } catch (error) {
      // What a stop of the server cuts off begins again after the next start.
      if (this.space.signal.aborted) return;
      const verb = request.kind === "finalize" ? "finalize" : "generate point cloud";
      const message = `Failed to ${verb}: ${run.cause(error) ?? causeOf(error, log)}`;
      if (this.#requests[0] === request) {
        await this.#end({ [LABEL.status]: "error", [LABEL.error]: message.slice(0, 1000) }).catch(() => undefined);
      }
      // Also where it cannot be written down: those behind it are not to wait for ever.
      if (this.#requests[0] === request) this.#requests.shift();
      this.tell({ type: "error", message });
    }
  }

  /** The state that a client may ask for next is the one after the run. */
  async #end(labels: Labels): Promise<void> {
    this.touch(); // as long as it ran nobody was idle (DEP-13)
    this.#firstIsDone = true;
    try {
      await this.space.label({ ...labels, ...this.#pending() });
      this.#requests.shift();
    } finally {
      this.#firstIsDone = false;
    }
  }
}
