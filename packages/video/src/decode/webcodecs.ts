/**
 * The backend over `@napi-rs/webcodecs`, where somebody has installed it next to Cairn. Cairn neither needs nor ships
 * it: its binary carries FFmpeg under the GPL. It holds back two pictures, hides damage, and gives up for good on input
 * that is no H.264, so that it comes after ffmpeg.
 */
import type { Sps } from "../h264/parameter-sets.ts";
import { type Backend, type BackendEvents, type DecoderDescription, MAX_IN_DECODER, type Sequence } from "./backend.ts";
import { i420Bytes } from "./frame.ts";

/** The part of the browser's WebCodecs that is used; times are microseconds. */
type CodecFrame = {
  readonly timestamp: number;
  readonly format: string | null;
  readonly visibleRect: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  copyTo(to: Uint8Array, options?: { format?: string }): Promise<unknown>;
  close(): void;
};
type Codec = {
  configure(config: { codec: string; optimizeForLatency: boolean }): void;
  decode(chunk: object): void;
  flush(): Promise<void>;
  close(): void;
  readonly state: string;
};
type CodecModule = {
  readonly VideoDecoder: new (on: { output(frame: CodecFrame): void; error(cause: unknown): void }) => Codec;
  readonly EncodedVideoChunk: new (chunk: { type: "key" | "delta"; timestamp: number; data: Uint8Array }) => object;
};

export type WebCodecs = { readonly module: CodecModule; readonly description: DecoderDescription };

let asked: Promise<WebCodecs | undefined> | undefined;

/** @param from where to look, as an import specifier; by default the package by its name */
export function findWebCodecs(from?: string): Promise<WebCodecs | undefined> {
  if (from) return load(from);
  asked ??= load("@napi-rs/webcodecs");
  return asked;
}

async function load(specifier: string): Promise<WebCodecs | undefined> {
  try {
    const loaded: { default?: CodecModule } & Partial<CodecModule> = await import(specifier);
    const module = loaded.VideoDecoder ? (loaded as CodecModule) : loaded.default;
    if (typeof module?.VideoDecoder !== "function" || typeof module.EncodedVideoChunk !== "function") return undefined;
    return {
      module,
      description: {
        backend: "webcodecs",
        version: "",
        codecName: "h264",
        codecLongName: "H.264 / AVC (WebCodecs)",
        threads: "worker",
        profiles: "all",
      },
    };
  } catch {
    return undefined; // Not installed, or not for this machine.
  }
}

export function openWebCodecs(
  { module, description }: WebCodecs,
  sequence: Sequence,
  events: BackendEvents,
  stuckAfterMs: number,
): Backend {
  const { sps } = sequence;
  const waiting = new Map<number, number>();
  let copying: Promise<void> = Promise.resolve();
  let ended = false;
  let wake: (() => void) | undefined;

  const end = (): void => {
    ended = true;
    wake?.();
    if (codec.state !== "closed") codec.close();
  };
  const fail = (cause: unknown): void => {
    if (ended) return;
    end();
    events.failed(cause);
  };
  const take = async (frame: CodecFrame): Promise<void> => {
    const number = waiting.get(frame.timestamp);
    try {
      if (ended || number === undefined) return;
      const i420 = await copy(frame, sps);
      if (!ended) events.picture({ number, width: sps.width, height: sps.height, i420, damaged: false });
    } catch (cause) {
      fail(cause);
    } finally {
      frame.close();
      for (const [timestamp, other] of waiting)
        if (timestamp === frame.timestamp || (number !== undefined && other + 32 < number)) waiting.delete(timestamp);
      wake?.();
    }
  };
  const codec = new module.VideoDecoder({
    output: (frame) => {
      copying = copying.then(() => take(frame));
    },
    error: fail,
  });
  codec.configure({ codec: sps.codec, optimizeForLatency: true });

  return {
    description,
    async decode(unit) {
      if (ended) return;
      const timestamp = unit.number * 1000;
      waiting.set(timestamp, unit.number);
      try {
        const type = unit.key ? "key" : "delta";
        codec.decode(new module.EncodedVideoChunk({ type, timestamp, data: unit.data }));
      } catch (cause) {
        return fail(cause);
      }
      const deadline = performance.now() + stuckAfterMs;
      while (waiting.size > MAX_IN_DECODER && !ended) {
        // The timer also keeps the process alive: this codec's callbacks do not.
        const timer = setTimeout(() => wake?.(), stuckAfterMs);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        clearTimeout(timer);
        if (performance.now() >= deadline) fail(new Error(`the codec gave no picture for ${stuckAfterMs} ms`));
      }
    },
    async flush() {
      const timer = setTimeout(() => fail(new Error("the codec did not end")), stuckAfterMs);
      await (ended ? undefined : codec.flush().catch(fail));
      await copying;
      clearTimeout(timer);
      end();
    },
    async close() {
      end();
      await copying;
    },
    pause() {}, // What it has decoded lies in its own queue.
  };
}

/** The shown part as I420: NV12 or a cropped picture of odd size comes with other strides, which `copyTo` evens out. */
async function copy(frame: CodecFrame, sps: Sps): Promise<Uint8Array> {
  const { width, height } = frame.visibleRect;
  if (frame.format !== "I420" || width !== sps.width || height !== sps.height)
    throw new Error(`a picture of ${width} x ${height} ${frame.format} instead of ${sps.width} x ${sps.height} I420`);
  const i420 = new Uint8Array(i420Bytes(width, height));
  await frame.copyTo(i420);
  return i420;
}
