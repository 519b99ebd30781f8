/**
 * Which blobs are a space's: what its events and its state name where their schemas have a digest. What people write
 * themselves counts for nothing, so nobody makes another space's blob their own by naming something after it. Rule BLOB-9.
 */
import { type CairnEvent, Digest, EVENTS, type Seq, type SpaceState } from "@cairn/protocol";
import type { Space } from "./spaces.ts";

const READ_EVENTS = 1000;

type Known = { readonly digests: Set<Digest>; seq: Seq; reading: Promise<void> | undefined };

/** Of what is needed of a schema to find digests in what it describes. */
type Shape = {
  readonly type?: unknown;
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly patternProperties?: unknown;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape | readonly Shape[];
};

const DIGEST: Shape = Digest;

export class SpaceBlobs {
  readonly #known = new WeakMap<Space, Known>();

  /** Reads what the log tells since it was asked last, and only where the digest is not known yet. */
  async has(space: Space, digest: Digest): Promise<boolean> {
    const known = this.#known.get(space) ?? { digests: new Set<Digest>(), seq: -1, reading: undefined };
    this.#known.set(space, known);
    const { head } = space.log;
    while (!known.digests.has(digest) && known.seq < head) {
      known.reading ??= readOn(space, known).finally(() => {
        known.reading = undefined;
      });
      await known.reading;
    }
    return known.digests.has(digest);
  }
}

async function readOn({ log }: Space, known: Known): Promise<void> {
  if (known.seq < log.first - 1) {
    // What was trimmed is in the state as far as it counts.
    known.seq = log.first - 1;
    addOfState(log.snapshot().state, known.digests);
    return;
  }
  const events = await log.read(known.seq, READ_EVENTS);
  for (const event of events) addOfEvent(event, known.digests);
  known.seq = events.at(-1)?.seq ?? log.head;
}

function addOfEvent(event: CairnEvent, digests: Set<Digest>): void {
  addOf(EVENTS[event.type], event.data, digests);
  if (event.type === "operation.completed") addOfResult(event.data.result, digests);
}

function addOfState(state: SpaceState, digests: Set<Digest>): void {
  const add = (type: keyof typeof EVENTS, data: unknown) => addOf(EVENTS[type], data, digests);
  for (const image of Object.values(state.images)) {
    add("image.added", image);
    for (const version of image.versions ?? []) add("image.changed", version);
  }
  for (const { index, packs } of Object.values(state.layers)) {
    add("layer.compacted", index);
    for (const pack of packs) add("segments.added", pack);
  }
  for (const { published } of Object.values(state.generations)) add("generation.published", published);
  for (const motion of state.motion ?? []) add("motion.added", motion);
  for (const design of Object.values(state.designs ?? {})) add("design.published", design);
  for (const { ended } of Object.values(state.recordings ?? {})) add("recording.ended", ended);
  add("report.made", state.report);
  for (const { result } of Object.values(state.operations)) addOfResult(result, digests);
}

function addOf(shape: Shape, value: unknown, digests: Set<Digest>): void {
  for (const either of shape.anyOf ?? []) addOf(either, value, digests);
  if (typeof value === "string") {
    if (shape.pattern === DIGEST.pattern) digests.add(value);
  } else if (Array.isArray(value)) {
    const { items } = shape;
    if (items && !Array.isArray(items)) for (const each of value) addOf(items as Shape, each, digests);
  } else if (value !== null && typeof value === "object") {
    for (const [name, of] of Object.entries(shape.properties ?? {})) {
      addOf(of, (value as Record<string, unknown>)[name], digests);
    }
  }
}

/** The server's own words, whose names are free: an export says `digest`. */
function addOfResult(result: Readonly<Record<string, unknown>> | undefined, digests: Set<Digest>): void {
  for (const value of Object.values(result ?? {})) {
    if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) digests.add(value);
  }
}
