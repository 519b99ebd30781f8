/**
 * A source of live video on a canvas: takes its packets, puts pictures together, and has the browser decode them. What is
 * shown is the newest picture, as soon as it is there. After a loss nothing is shown before the next key picture: better
 * the last good picture than a smeared one.
 */
import type { ReceivedPacket, Video, VideoHead } from "@cairn/client";
import { type AccessUnit, AccessUnitAssembler } from "@cairn/video/access-unit";

export type WatchState =
  /** Nothing to decode so far, or not since the stream ended or broke off. */
  | { readonly kind: "waiting" }
  | { readonly kind: "showing"; readonly width: number; readonly height: number }
  /** The browser cannot; in words for people. */
  | { readonly kind: "problem"; readonly text: string };

/** Why this browser shows no video at all on this page; `undefined`: it can. */
export function watchObstacle(): string | undefined {
  if ("VideoDecoder" in globalThis) return undefined;
  return isSecureContext
    ? "This browser decodes no live video."
    : "Browsers decode live video only on pages that came by HTTPS.";
}

/** A whole group of pictures comes at once when one joins (STR-3); beyond that the browser is too slow. */
const MOST_QUEUED = 300;
/** A picture that is older than this is no longer live. */
const STALE_MS = 3000;
/** Gives up after so many failures with no picture between them. */
const MOST_FAILURES = 3;

type WatchOptions = {
  readonly video: Video;
  readonly source: string;
  readonly canvas: HTMLCanvasElement;
  onState(state: WatchState): void;
  readonly signal: AbortSignal;
};

/** Watches until the signal aborts. */
export function watchVideo({ video, source, canvas, onState, signal }: WatchOptions): void {
  const context = canvas.getContext("2d", { alpha: false, desynchronized: true });
  const consumer = video.consume(source);
  let assembler = new AccessUnitAssembler({ eager: true });
  let codec: string | undefined;
  let decoder: VideoDecoder | undefined;
  let waitsForKey = true;
  let failures = 0;
  let newest: VideoFrame | undefined;
  let frame = 0;
  let stale: ReturnType<typeof setTimeout> | undefined;
  let shown = "";
  /** Pictures drawn, for those who look at the page from outside. */
  let drawn = Number(canvas.dataset.pictures ?? 0);

  const wait = () => {
    shown = "";
    onState({ kind: "waiting" });
  };

  function draw(): void {
    frame = 0;
    const picture = newest;
    newest = undefined;
    if (!picture) return;
    const { displayWidth: width, displayHeight: height } = picture;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    context?.drawImage(picture, 0, 0);
    picture.close();
    canvas.dataset.pictures = String(++drawn);
    clearTimeout(stale);
    stale = setTimeout(wait, STALE_MS);
    const size = `${width} ${height}`;
    if (size !== shown) onState({ kind: "showing", width, height });
    shown = size;
  }

  function open(): VideoDecoder | undefined {
    if (codec === undefined) return undefined;
    const opened = new VideoDecoder({
      output(picture) {
        failures = 0;
        newest?.close();
        newest = picture;
        frame ||= requestAnimationFrame(draw);
      },
      error(cause) {
        if (decoder !== opened) return; // one that is let go
        decoder = undefined;
        waitsForKey = true;
        if (++failures >= MOST_FAILURES)
          onState({ kind: "problem", text: `This browser cannot show it: ${cause.message}` });
      },
    });
    opened.configure({ codec, optimizeForLatency: true });
    return opened;
  }

  function shut(): void {
    const old = decoder;
    decoder = undefined;
    if (old && old.state !== "closed") old.close();
  }

  function decode({ key, lost, data, timeNs }: AccessUnit): void {
    if (lost || (decoder?.decodeQueueSize ?? 0) > MOST_QUEUED) waitsForKey = true;
    if ((waitsForKey && !key) || failures >= MOST_FAILURES) return;
    decoder ??= open();
    if (!decoder) return;
    waitsForKey = false;
    const type = key ? "key" : "delta";
    decoder.decode(
      new EncodedVideoChunk({ type, timestamp: Number(timeNs / 1000n), data: data as Uint8Array<ArrayBuffer> }),
    );
  }

  consumer.on("head", (head: VideoHead) => {
    if (head.codec === codec) return;
    // What was put together so far belongs to the old stream.
    shut();
    ({ codec } = head);
    assembler = new AccessUnitAssembler({ eager: true });
    waitsForKey = true;
    failures = 0;
  });
  consumer.on("packet", ({ data, timeNs, partial, end, lost }: ReceivedPacket) => {
    if (lost > 0) assembler.miss();
    for (const unit of assembler.push(data, timeNs, { partial })) decode(unit);
    if (!end) return;
    for (const unit of assembler.flush()) decode(unit);
    assembler = new AccessUnitAssembler({ eager: true });
  });
  consumer.on("status", (status) => {
    // Over a new socket it begins again, with a group of pictures.
    if (status !== "live") return;
    assembler = new AccessUnitAssembler({ eager: true });
    waitsForKey = true;
  });
  wait();

  signal.addEventListener(
    "abort",
    () => {
      consumer.close();
      clearTimeout(stale);
      cancelAnimationFrame(frame);
      newest?.close();
      newest = undefined;
      shut();
    },
    { once: true },
  );
}
