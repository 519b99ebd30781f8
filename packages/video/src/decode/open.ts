/**
 * The decoder that everyone uses: access units in, pictures with their times out, by whichever backend is there.
 *
 * It begins at a key picture that has its parameter sets, survives whatever comes, and says of each picture whether it
 * can be trusted: after a loss, a damaged unit or a decoder's complaint none is, until the next key picture. A backend
 * that dies or hangs is replaced at the next key picture.
 */
import type { AccessUnit } from "../h264/access-unit.ts";
import { annexB } from "../h264/nal.ts";
import { parameterSets, type Sps } from "../h264/parameter-sets.ts";
import type { Backend, DecoderDescription, Picture, Sequence } from "./backend.ts";
import { chooseDecoder, type DecoderChoice } from "./choose.ts";
import type { FrameColors, VideoFrame } from "./frame.ts";
import { StreamState } from "./stream-state.ts";

export type VideoDecoderOptions = DecoderChoice & {
  /** In the order of showing. While a promise of it is open, decoding goes on for few pictures more, then waits. */
  readonly onFrame: (frame: VideoFrame) => void | Promise<void>;
  /** For the log: a backend failed and will be replaced, a stream cannot be decoded. */
  readonly onProblem?: (problem: unknown) => void;
  readonly signal?: AbortSignal;
  /** Without a sign of life for so long, a backend is replaced. */
  readonly stuckAfterMs?: number;
};

export type DecoderStats = {
  readonly backend: DecoderDescription | undefined;
  readonly units: number;
  readonly frames: number;
  /** Frames that are not to be trusted. */
  readonly untrusted: number;
  /** Units that were not decoded: before a key picture, without parameter sets, or with no decoder for them. */
  readonly skipped: number;
  /** Backends that died or hung. */
  readonly failures: number;
  /** From a unit's coming to its picture's, over the last 256. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
};

export interface VideoDecoder {
  /**
   * Takes the next unit; resolves when another may be given. Units of any kind are survived.
   * @throws {CairnError} `video.no_decoder` when this stream cannot be decoded here; a later unit may be another stream's
   */
  decode(unit: AccessUnit): Promise<void>;
  /** Resolves when all pictures of what was given have been taken. The next unit should be a key picture. */
  flush(): Promise<void>;
  stats(): DecoderStats;
  /** Stops at once. */
  close(): Promise<void>;
}

type Given = {
  readonly timeNs: bigint;
  readonly key: boolean;
  readonly trusted: boolean;
  readonly colors: FrameColors;
  readonly sinceMs: number;
};

/** Pictures that wait for whoever takes them, before the backend is held back. */
const MAX_UNTAKEN = 8;
/** Units whose picture may still come. */
const MAX_GIVEN = 128;

export function openVideoDecoder(options: VideoDecoderOptions): VideoDecoder {
  return new Decoder(options);
}

class Decoder implements VideoDecoder {
  readonly #options: VideoDecoderOptions;
  readonly #stream = new StreamState();
  readonly #given = new Map<number, Given>();
  readonly #latencies: number[] = [];
  #backend: Backend | undefined;
  #description: DecoderDescription | undefined;
  #sequenceName = "";
  #trusted = false;
  #turn: Promise<void> = Promise.resolve();
  #taking: Promise<void> = Promise.resolve();
  #untaken = 0;
  #taken: (() => void) | undefined;
  #closed = false;
  #counts = { units: 0, frames: 0, untrusted: 0, skipped: 0, failures: 0 };

  constructor(options: VideoDecoderOptions) {
    this.#options = options;
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  decode(unit: AccessUnit): Promise<void> {
    const turn = this.#turn.then(() => this.#decode(unit));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  flush(): Promise<void> {
    const turn = this.#turn.then(async () => {
      const backend = this.#backend;
      await backend?.flush();
      this.#forget(backend);
      await this.#taking;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  stats(): DecoderStats {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    return { backend: this.#description, ...this.#counts, latencyMs: { p50: at(0.5), p99: at(0.99) } };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#taken?.();
    const backend = this.#backend;
    this.#forget(backend);
    await backend?.close();
    await this.#turn;
  }

  readonly #onAbort = (): void => void this.close();

  async #decode(unit: AccessUnit): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (this.#closed) return;
    this.#counts.units++;
    const sinceMs = performance.now();
    const sound = this.#stream.read(unit) && !unit.lost;
    this.#trusted = sound && (unit.key || this.#trusted);
    const sequence = this.#stream.sequence();
    if (unit.key && sequence) await this.#beginIfNeeded(sequence);
    const backend = this.#backend;
    if (!backend || !sequence || this.#closed) {
      this.#counts.skipped++;
      return;
    }
    const number = this.#counts.units;
    const { timeNs, key, counted } = unit;
    this.#given.set(number, { timeNs, key, trusted: this.#trusted, colors: colorsOf(sequence.sps), sinceMs });
    for (const old of this.#given.keys()) {
      if (this.#given.size <= MAX_GIVEN) break;
      this.#given.delete(old);
    }
    const data = key ? withParameterSets(unit.data, sequence) : unit.data;
    await backend.decode({ number, timeNs, counted, key, data });
    while (this.#untaken > MAX_UNTAKEN && !this.#closed)
      await new Promise<void>((resolve) => {
        this.#taken = resolve;
      });
  }

  /** Parameter sets of another kind of picture mean another backend, or one that begins anew. */
  async #beginIfNeeded(sequence: Sequence): Promise<void> {
    const name = [sequence.spsNal, ...sequence.ppsNals].map((nal) => Buffer.from(nal).toString("base64")).join();
    if (this.#backend && name === this.#sequenceName) return;
    const old = this.#backend;
    await old?.flush();
    this.#forget(old);
    const open = await chooseDecoder(sequence, this.#stream.pps(), this.#options);
    if (this.#closed) return;
    this.#sequenceName = name;
    const backend: Backend = open(
      {
        picture: (picture) => this.#take(picture),
        failed: (cause) => {
          this.#counts.failures++;
          this.#forget(backend);
          this.#options.onProblem?.(cause);
        },
      },
      this.#options.stuckAfterMs ?? 10_000,
    );
    this.#backend = backend;
    this.#description = backend.description;
  }

  #forget(backend: Backend | undefined): void {
    if (backend && this.#backend === backend) this.#backend = undefined;
  }

  #take(picture: Picture): void {
    const given = this.#given.get(picture.number);
    if (!given || this.#closed) return;
    this.#given.delete(picture.number);
    if (this.#latencies.push(performance.now() - given.sinceMs) > 256) this.#latencies.shift();
    const { timeNs, key, colors } = given;
    const { width, height, i420 } = picture;
    const trusted = given.trusted && !picture.damaged;
    this.#counts.frames++;
    if (!trusted) this.#counts.untrusted++;
    const backend = this.#backend;
    if (++this.#untaken === MAX_UNTAKEN) backend?.pause(true);
    this.#taking = this.#taking.then(async () => {
      try {
        if (!this.#closed) await this.#options.onFrame({ timeNs, width, height, i420, colors, key, trusted });
      } catch (problem) {
        this.#options.onProblem?.(problem);
      }
      if (--this.#untaken < MAX_UNTAKEN) backend?.pause(false);
      this.#taken?.();
    });
  }
}

/** What is not said is as players assume it: BT.709 from 720 lines on. */
function colorsOf({ vui, height }: Sps): FrameColors {
  return { fullRange: vui.fullRange, bt709: vui.matrix === undefined ? height >= 720 : vui.matrix === 1 };
}

function withParameterSets(data: Uint8Array, { spsNal, ppsNals }: Sequence): Uint8Array {
  const { sps, pps } = parameterSets(data);
  if (sps && pps) return data;
  const sets = annexB([spsNal, ...ppsNals]);
  const whole = new Uint8Array(sets.length + data.length);
  whole.set(sets);
  whole.set(data, sets.length);
  return whole;
}
