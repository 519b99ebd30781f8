/**
 * The embedded log: a folder of segment files, group commit, and the folded state in memory.
 * Appends that wait while the disk is busy share one write and one fdatasync, so 64 writers cost the disk what one
 * does. Rules: docs/spec/log.md.
 */
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  check,
  type ErrorCode,
  EVENTS,
  type EventDraft,
  nowNs,
  type Seq,
  type SpaceState,
} from "@cairn/protocol";
import { notOpened, removeFile, storeError, syncFolder } from "../disk/disk.ts";
import { type Identity, writeIdentity, writeState } from "./checkpoint.ts";
import { LineBuffer } from "./record.ts";
import { openSegmentFile, Segment, type SegmentFile } from "./segment.ts";
import type { SpaceLog } from "./space-log.ts";
import type { Tail } from "./tail.ts";

export type SpaceLogOptions = {
  /** A segment is closed when it is this large, and the state is written beside it. */
  segmentBytes?: number;
  /** Told when the disk refuses (the error) and when it takes writes again (`undefined`). */
  onTrouble?: (trouble: CairnError | undefined) => void;
  /** How segments are opened for appending; tests let them fail here. */
  openSegment?: (path: string) => Promise<SegmentFile>;
  /** UTC, ns since 1970; left out: the system's clock. */
  now?: () => bigint;
};

/** One write takes at most this many bytes of lines; the rest of what waits is the next write. */
const WRITE_BYTES = 2 ** 22;

type Waiting = {
  drafts: readonly EventDraft[];
  resolve: (events: CairnEvent[]) => void;
  reject: (error: unknown) => void;
};

/** What a folder was found to hold. */
export type Recovered = {
  identity: Identity;
  segments: Segment[];
  state: SpaceState;
  head: Seq;
  tail: Tail;
  corrupt?: CairnError;
};

export class FileSpaceLog implements SpaceLog {
  readonly #folder: string;
  readonly #openSegment: (path: string) => Promise<SegmentFile>;
  readonly #now: () => bigint;
  readonly #segmentBytes: number;
  readonly #onTrouble: (trouble: CairnError | undefined) => void;
  readonly #segments: Segment[];
  readonly #state: SpaceState;
  readonly #tail: Tail;
  readonly #lines = new LineBuffer();
  readonly #wake = new Set<() => void>();
  #identity: Identity;
  #head: Seq;
  #lastNs = 0n;
  #file: SegmentFile | undefined;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** State files and trimming, one after the other. */
  #chores: Promise<void> = Promise.resolve();
  /** The log can be read up to here and not beyond. */
  #corrupt: CairnError | undefined;
  /** The disk is full: the file is opened and looked at again before the next write. */
  #full = false;
  /** The disk failed in a way after which nobody knows what it holds: no writes until the log is opened again. */
  #failed: CairnError | undefined;
  /** The last append was refused by the disk, and somebody was told. */
  #troubled = false;
  #closedAs: ErrorCode | undefined;
  /** The last write is done: what is in memory now is all that there will be. */
  #ended = false;

  /** Use `openSpaceLog`. */
  constructor(folder: string, options: SpaceLogOptions, recovered: Recovered) {
    this.#folder = folder;
    this.#openSegment = options.openSegment ?? openSegmentFile;
    this.#now = options.now ?? (() => BigInt(nowNs()));
    this.#segmentBytes = options.segmentBytes ?? 2 ** 24;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
    this.#segments = recovered.segments;
    this.#state = recovered.state;
    this.#head = recovered.head;
    this.#tail = recovered.tail;
    this.#identity = recovered.identity;
    this.#corrupt = recovered.corrupt;
    const last = this.#tail.last;
    if (last) this.#lastNs = BigInt(last.timeNs);
  }

  get epoch(): string {
    return this.#identity.epoch;
  }

  get head(): Seq {
    return this.#head;
  }

  get first(): Seq {
    return this.#identity.first;
  }

  /** Set when an event is damaged. */
  get corrupt(): CairnError | undefined {
    return this.#corrupt;
  }

  /** Why appends are refused until the log is opened again; a full disk is not such a reason. */
  get refusing(): CairnError | undefined {
    return this.#corrupt ?? this.#failed;
  }

  /** Makes durable what was found: a killed process may have left it in the kernel's memory only. */
  async begin(): Promise<void> {
    if (this.#corrupt) return;
    this.#file = await this.#openSegment(this.#current.path);
    await this.#file.sync();
    await syncFolder(this.#folder);
  }

  async append(drafts: readonly EventDraft[]): Promise<CairnEvent[]> {
    for (const draft of drafts) checkDraft(draft);
    this.#refuseIfUnwritable();
    if (drafts.length === 0) return [];
    return new Promise((resolve, reject) => {
      this.#waiting.push({ drafts, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async read(after: Seq, limit: number): Promise<CairnEvent[]> {
    if (this.#closedAs) throw new CairnError(this.#closedAs);
    if (!Number.isSafeInteger(after) || after < 0) throw new RangeError(`after: ${after}`);
    if (!(limit >= 1)) throw new RangeError(`limit: ${limit}`);
    if (after > this.#head) throw new CairnError("log.ahead", { after, head: this.#head });
    if (after + 1 < this.first) throw new CairnError("log.trimmed", { after, first: this.first });
    if (after === this.#head) {
      if (this.#corrupt) throw this.#corrupt;
      return [];
    }
    const recent = this.#tail.after(after, limit);
    if (recent) return recent;
    const index = this.#segments.findLastIndex((segment) => segment.first <= after + 1);
    const segment = this.#segments[index];
    if (!segment) throw new CairnError("log.trimmed", { after, first: this.first });
    const next = this.#segments[index + 1];
    return segment.read(after, limit, Math.min(this.#head, next ? next.first - 1 : this.#head));
  }

  async *follow(after: Seq, options: { signal?: AbortSignal; limit?: number } = {}): AsyncGenerator<CairnEvent[]> {
    const { signal, limit = 1000 } = options;
    let position = after;
    while (!signal?.aborted) {
      // After closing only what is in memory is left to hand out: the last events, and with them why it closed.
      const events = this.#closedAs ? (this.#tail.after(position, limit) ?? []) : await this.read(position, limit);
      const last = events.at(-1);
      if (last) {
        position = last.seq;
        if (!signal?.aborted) yield events;
      } else if (this.#ended || (this.#closedAs && this.#head > position)) {
        // Closing, what comes next is no longer in memory: nobody will hand it out, and the write that closing waits for
        // needs this turn.
        return;
      } else {
        await this.#grown(position, signal);
      }
    }
  }

  snapshot(): { seq: Seq; epoch: string; state: SpaceState } {
    return { seq: this.#head, epoch: this.epoch, state: this.#state };
  }

  async trim(seq: Seq): Promise<void> {
    if (!Number.isSafeInteger(seq) || seq < 1 || seq > this.#head + 1) throw new RangeError(`seq: ${seq}`);
    this.#refuseIfUnwritable();
    await this.#chore(async () => {
      if (seq <= this.first) return;
      await writeState(this.#folder, this.#head, this.#state);
      const identity = { epoch: this.epoch, first: seq };
      await writeIdentity(this.#folder, identity);
      this.#identity = identity;
      while ((this.#segments[1]?.first ?? Number.POSITIVE_INFINITY) <= seq) {
        const gone = this.#segments.shift();
        if (gone) await removeFile(gone.path);
      }
      await syncFolder(this.#folder);
    });
  }

  /** @param as what later calls are answered with */
  async close(as: "server.stopping" | "space.closed" = "server.stopping"): Promise<void> {
    this.#closedAs ??= as;
    await this.#writing;
    this.#ended = true;
    this.#wakeAll();
    await this.#chores;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** Where the events are, for looking through all of them without folding. */
  get segmentPaths(): string[] {
    return this.#segments.map((segment) => segment.path);
  }

  get #current(): Segment {
    const current = this.#segments.at(-1);
    if (!current) throw new RangeError("a log has at least one segment");
    return current;
  }

  #refuseIfUnwritable(): void {
    if (this.#closedAs) throw new CairnError(this.#closedAs);
    if (this.#corrupt) throw this.#corrupt;
    if (this.#failed) throw this.#failed;
  }

  async #writeAll(): Promise<void> {
    // One turn of the event loop, so that everyone who was just answered can have its next append in this write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      await this.#writeOnce();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#writing = undefined;
  }

  async #writeOnce(): Promise<void> {
    let file: SegmentFile;
    try {
      if (this.#failed) throw this.#failed;
      file = await this.#writableFile();
    } catch (error) {
      // No byte of an event was written: there is nothing to cut off, and the next append may try again.
      this.#refuse([], storeError(error));
      return;
    }
    const writes: { waiting: Waiting; events: CairnEvent[] }[] = [];
    try {
      const { offsets } = this.#encode(writes);
      if (writes.length === 0) return;
      const start = this.#current.sizeBytes;
      await file.write(this.#lines.bytes, start);
      await file.sync();
      this.#commit(writes, start, offsets);
      if (this.#troubled) this.#onTrouble(undefined);
      this.#troubled = false;
    } catch (error) {
      await this.#giveUp(
        writes.map((write) => write.waiting),
        storeError(error),
      );
    } finally {
      this.#lines.cut(0);
    }
  }

  /** Takes from those that wait until the write is large enough. A draft that cannot be written fails alone. */
  #encode(writes: { waiting: Waiting; events: CairnEvent[] }[]): { offsets: number[] } {
    const offsets: number[] = [];
    const write = this.#head + 1;
    const clockNs = this.#now();
    if (clockNs > this.#lastNs) this.#lastNs = clockNs;
    const timeNs = String(this.#lastNs);
    let seq = this.#head;
    let taken = 0;
    for (const waiting of this.#waiting) {
      if (this.#lines.sizeBytes >= WRITE_BYTES) break;
      taken++;
      const before = this.#lines.sizeBytes;
      const events: CairnEvent[] = [];
      try {
        for (const [index, { type, cause, data }] of waiting.drafts.entries()) {
          const json = JSON.stringify({ seq: seq + index + 1, timeNs, type, cause, data });
          // What everyone is handed is what the file holds, and nobody else can change it.
          const event: CairnEvent = JSON.parse(json);
          offsets.push(this.#lines.sizeBytes);
          this.#lines.add(json, write, index === waiting.drafts.length - 1);
          events.push(event);
        }
        seq += events.length;
        writes.push({ waiting, events });
      } catch (error) {
        this.#lines.cut(before);
        offsets.length = seq - this.#head;
        waiting.reject(error);
      }
    }
    this.#waiting = this.#waiting.slice(taken);
    return { offsets };
  }

  #commit(writes: { waiting: Waiting; events: CairnEvent[] }[], start: number, offsets: number[]): void {
    const segment = this.#current;
    const endBytes = this.#lines.sizeBytes;
    segment.sizeBytes = start + endBytes;
    let index = 0;
    for (const { waiting, events } of writes) {
      for (const event of events) {
        const offset = offsets[index++] ?? 0;
        segment.mark(event.seq, start + offset);
        this.#tail.add(event, (offsets[index] ?? endBytes) - offset);
        applyEvent(this.#state, event);
        this.#head = event.seq;
      }
      waiting.resolve(events);
    }
    this.#wakeAll();
  }

  /**
   * The file to write to: a new segment when the last is large enough, the same one looked at again when it was full.
   * Until there is a new segment nothing goes into the last one either: its name may be in the folder already, and it
   * must be that of the next event.
   */
  async #writableFile(): Promise<SegmentFile> {
    if (this.#full) await this.#reopen();
    if (this.#current.sizeBytes >= this.#segmentBytes) {
      const next = new Segment(this.#folder, this.#head + 1, 0);
      const file = await this.#openSegment(next.path);
      try {
        await file.truncate(0);
        await syncFolder(this.#folder);
      } catch (error) {
        await file.close();
        throw notOpened(error) ? error : this.#distrust(storeError(error));
      }
      const old = this.#file;
      this.#file = file;
      this.#segments.push(next);
      await old?.close();
      // Only makes the next start quicker; a disk that refuses it will refuse the next append too, and that is told.
      this.#chore(() => writeState(this.#folder, this.#head, this.#state)).catch(() => undefined);
    }
    if (!this.#file) throw new CairnError("store.failed");
    return this.#file;
  }

  /** After the disk was full: a fresh handle, and the file must end with the last event that was acknowledged. */
  async #reopen(): Promise<void> {
    const old = this.#file;
    this.#file = undefined;
    await old?.close().catch(() => undefined);
    const segment = this.#current;
    const file = await this.#openSegment(segment.path);
    this.#file = file;
    await file.truncate(segment.sizeBytes).catch((error: unknown) => {
      throw this.#distrust(storeError(error));
    });
    if (!(await this.#endsAtHead())) throw this.#distrust(new CairnError("store.failed", { seq: this.#head }));
    this.#full = false;
  }

  /** @throws {CairnError} `store.failed` when the file cannot be opened, which says nothing of how it ends */
  async #endsAtHead(): Promise<boolean> {
    const segment = this.#current;
    if (segment.sizeBytes === 0) return true;
    try {
      const [last] = await segment.read(this.#head - 1, 1, this.#head);
      return last?.seq === this.#head;
    } catch (error) {
      if (error instanceof CairnError && error.code === "store.failed") throw error;
      return false;
    }
  }

  /**
   * Nothing of this write is acknowledged. It is cut off, so that it cannot turn up later; never is it tried again,
   * because after a failed fdatasync the kernel may have dropped the bytes and still say that all is well.
   */
  async #giveUp(writers: Waiting[], error: CairnError): Promise<void> {
    let trouble = error;
    try {
      await this.#file?.truncate(this.#current.sizeBytes);
    } catch (second) {
      trouble = new CairnError("store.failed", {}, second);
    }
    if (trouble.code === "store.full") this.#full = true;
    this.#refuse(writers, this.#distrust(trouble));
  }

  /** Unless it is only full, nobody knows what the disk holds after it refused a change. */
  #distrust(trouble: CairnError): CairnError {
    if (trouble.code === "store.failed") this.#failed = trouble;
    else if (trouble.code !== "store.full") this.#failed = new CairnError("store.failed", {}, trouble);
    return trouble;
  }

  #refuse(writers: Waiting[], trouble: CairnError): void {
    this.#troubled = true;
    this.#onTrouble(trouble);
    const refused = [...writers, ...this.#waiting];
    this.#waiting = [];
    for (const { reject } of refused) reject(trouble);
  }

  #chore(work: () => Promise<void>): Promise<void> {
    const done = this.#chores.then(work);
    this.#chores = done.catch(() => undefined);
    return done.catch((error: unknown) => {
      throw storeError(error);
    });
  }

  /**
   * Resolves when there is more to read than up to `position`, also when it came just behind the read; when the log has
   * closed; or when `signal` aborts.
   */
  #grown(position: Seq, signal: AbortSignal | undefined): Promise<void> {
    if (this.#head > position) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake.add(wake);
      signal?.addEventListener("abort", wake);
    });
  }

  #wakeAll(): void {
    for (const wake of [...this.#wake]) wake();
  }
}

function checkDraft(draft: EventDraft): void {
  if (!Object.hasOwn(EVENTS, draft.type)) {
    throw new CairnError("request.invalid", { field: "/type", problem: "is not an event" });
  }
  check(EVENTS[draft.type], draft.data);
  if (draft.cause !== undefined && !(Number.isSafeInteger(draft.cause) && draft.cause >= 1)) {
    throw new CairnError("request.invalid", { field: "/cause", problem: "is not a seq" });
  }
}
