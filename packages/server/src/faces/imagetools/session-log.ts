/**
 * What a session's log says to image tools' clients: an envelope for every event that concerns them, and its long
 * operations. A pure fold: reading the log again leads to the same. Rules IMG-11 to IMG-14, IMG-44 to IMG-50.
 */
import { type CairnEvent, type EventOf, type Id, nsToMs, type TimeNs } from "@cairn/protocol";
import { imageUrl, thumbnailUrl } from "./shapes.ts";
import { isoMicros, isoSeconds } from "./times.ts";

export type Envelope = {
  readonly type: string;
  readonly timestamp: string;
  readonly seq: number;
  readonly data: Readonly<Record<string, unknown>>;
};

/** An operation as it stands. */
export type OperationRecord = {
  operation_id: Id;
  operation_type: string;
  session_id: string;
  status: "pending" | "running" | "completed" | "failed" | "cancelled";
  progress: number;
  current: number;
  total: number;
  message: string;
  result: OperationResult | null;
  error: string | null;
  created_at: string;
  finished_at: string | null;
};

type OperationResult = {
  succeeded: number;
  failed: { image_id: string; error: string }[];
  original_size: number;
  new_size: number;
};

type ImageFacts = { filename: string; source: string; sizeBytes: number };
type Course = { record: OperationRecord; result: OperationResult };

/** Operations that are remembered after they ended. */
const KEPT_OPERATIONS = 1000;

/** By the kind of the core's operation. */
const TYPES: Readonly<Record<string, string>> = {
  "images:compress": "bulk_compress",
  "images:rotate": "bulk_rotate",
  "images:resize": "bulk_resize",
  "images:remove": "bulk_delete",
  "images:flip": "bulk_flip",
};

const DOING: Readonly<Record<string, string>> = {
  bulk_compress: "Compressing",
  bulk_rotate: "Rotating",
  bulk_resize: "Resizing",
  bulk_delete: "Deleting",
  bulk_flip: "Flipping",
};

const DONE: Readonly<Record<string, string>> = {
  bulk_compress: "Compressed",
  bulk_rotate: "Rotated",
  bulk_resize: "Resized",
  bulk_delete: "Deleted",
  bulk_flip: "Flipped",
};

export class SessionLog {
  readonly #session: string;
  /** Also those that are gone: what was said of them can be said again. */
  readonly #images = new Map<Id, ImageFacts>();
  readonly #operations = new Map<Id, Course>();

  constructor(session: string) {
    this.#session = session;
  }

  operation(id: string): OperationRecord | undefined {
    return this.#operations.get(id)?.record;
  }

  /** Oldest first. */
  get operations(): OperationRecord[] {
    return [...this.#operations.values()].map(({ record }) => record);
  }

  /** @returns what is to be told */
  apply(event: CairnEvent): Envelope | undefined {
    const told = this.#tell(event);
    if (!told) return undefined;
    const [type, data] = told;
    return { type, timestamp: isoSeconds(nsToMs(event.timeNs)), seq: event.seq, data };
  }

  #tell(event: CairnEvent): [string, Record<string, unknown>] | undefined {
    switch (event.type) {
      case "image.added":
        return this.#added(event);
      case "image.changed":
        return this.#changed(event);
      case "image.removed":
        return this.#removed(event);
      case "operation.queued":
        this.#queued(event);
        return undefined;
      case "operation.started":
        return this.#started(event.data.operation);
      case "operation.progressed":
        return this.#progressed(event);
      case "operation.completed":
        return this.#completed(event.data.operation, event.timeNs);
      case "operation.failed":
        return this.#failed(event.data.operation, event.timeNs, errorText(event.data), false);
      case "operation.cancelled":
        return this.#failed(event.data.operation, event.timeNs, "Cancelled", true);
      default:
        return undefined;
    }
  }

  #added({ data }: EventOf<"image.added">): [string, Record<string, unknown>] {
    const { image, name: filename, source, width, height, sizeBytes } = data;
    this.#images.set(image, { filename, source, sizeBytes });
    return ["image.uploaded", this.#imageData(image, { width, height, sizeBytes }, data.contributor)];
  }

  #changed({ data, timeNs }: EventOf<"image.changed">): [string, Record<string, unknown>] | undefined {
    const { image, width, height, sizeBytes, operation, change, contributor } = data;
    const facts = this.#images.get(image);
    if (!facts) return undefined;
    this.#count(operation, facts.sizeBytes, sizeBytes);
    facts.sizeBytes = sizeBytes;
    const said = this.#imageData(image, { width, height, sizeBytes }, contributor);
    return ["image.updated", { ...said, operation: change.name, updated_at: isoMicros(timeNs) }];
  }

  #removed({ data: { image, operation } }: EventOf<"image.removed">): [string, Record<string, unknown>] | undefined {
    const facts = this.#images.get(image);
    if (!facts) return undefined;
    this.#count(operation, facts.sizeBytes, 0);
    return ["image.deleted", { image_id: image, filename: facts.filename, session_id: this.#session }];
  }

  #imageData(
    image: Id,
    { width, height, sizeBytes }: { width: number; height: number; sizeBytes: number },
    contributor: string | undefined,
  ): Record<string, unknown> {
    const facts = this.#images.get(image);
    return {
      image_id: image,
      filename: facts?.filename,
      source: facts?.source,
      thumbnail_url: thumbnailUrl(image),
      image_url: imageUrl(image),
      width,
      height,
      size: sizeBytes,
      session_id: this.#session,
      client_id: contributor ?? null,
    };
  }

  #count(operation: Id | undefined, fromBytes: number, toBytes: number): void {
    const course = operation === undefined ? undefined : this.#operations.get(operation);
    if (!course) return;
    course.result.succeeded++;
    course.result.original_size += fromBytes;
    course.result.new_size += toBytes;
  }

  #queued({ data, timeNs }: EventOf<"operation.queued">): void {
    const type = TYPES[data.kind];
    const images: unknown = data.plan?.images;
    if (!type || !Array.isArray(images)) return;
    const record: OperationRecord = {
      operation_id: data.operation,
      operation_type: type,
      session_id: this.#session,
      status: "pending",
      progress: 0,
      current: 0,
      total: images.length,
      message: "Waiting...",
      result: null,
      error: null,
      created_at: isoMicros(timeNs),
      finished_at: null,
    };
    this.#operations.set(data.operation, {
      record,
      result: { succeeded: 0, failed: [], original_size: 0, new_size: 0 },
    });
    for (const [id, { record: old }] of this.#operations) {
      if (this.#operations.size <= KEPT_OPERATIONS) break;
      if (old.finished_at !== null) this.#operations.delete(id);
    }
  }

  #started(id: Id): [string, Record<string, unknown>] | undefined {
    const record = this.#operations.get(id)?.record;
    if (!record) return undefined;
    record.status = "running";
    record.message = `${DOING[record.operation_type]} ${record.total} images...`;
    const { operation_id, operation_type, total, message } = record;
    return ["operation.started", { operation_id, operation_type, total, message, session_id: this.#session }];
  }

  #progressed({ data }: EventOf<"operation.progressed">): [string, Record<string, unknown>] | undefined {
    const course = this.#operations.get(data.operation);
    if (!course) return undefined;
    const { record, result } = course;
    const { image, message } = data.problem ?? {};
    if (image !== undefined) result.failed.push({ image_id: image, error: message ?? "" });
    record.current = data.done;
    record.progress = Math.floor((100 * data.done) / record.total);
    record.message = data.message ?? "";
    return ["operation.progress", { ...this.#standing(record), message: record.message }];
  }

  #completed(id: Id, timeNs: TimeNs): [string, Record<string, unknown>] | undefined {
    const course = this.#operations.get(id);
    if (!course) return undefined;
    const { record, result } = course;
    record.status = "completed";
    record.progress = 100;
    record.message = `${DONE[record.operation_type]} ${result.succeeded} of ${record.total} images`;
    record.result = result;
    record.finished_at = isoMicros(timeNs);
    return ["operation.completed", { ...this.#standing(record), message: record.message, result }];
  }

  #failed(id: Id, timeNs: TimeNs, error: string, cancelled: boolean): [string, Record<string, unknown>] | undefined {
    const course = this.#operations.get(id);
    if (!course) return undefined;
    const { record, result } = course;
    record.status = cancelled ? "cancelled" : "failed";
    record.error = error;
    record.message = error;
    record.result = result;
    record.finished_at = isoMicros(timeNs);
    return ["operation.failed", { ...this.#standing(record), error, cancelled, result }];
  }

  #standing({ operation_id, operation_type, progress, current, total }: OperationRecord) {
    return { operation_id, operation_type, progress, current, total, session_id: this.#session };
  }
}

function errorText({ code, message }: { code: string; message: string }): string {
  return code === "image.none_changed" ? "All images failed" : message;
}
