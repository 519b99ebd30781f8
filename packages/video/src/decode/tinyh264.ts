/** The embedded backend: tinyh264 in a worker thread of its own. Baseline profile only; no picture is held back. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { type Pool, workers } from "@cairn/worker";
import { NAL, nalUnits } from "../h264/nal.ts";
import type { Backend, BackendEvents, BackendUnit, DecoderDescription, Picture, Sequence } from "./backend.ts";
import type { TinyJobs } from "./tinyh264-contract.ts";

/** The worker decodes one unit while the next is on its way. */
const MAX_IN_FLIGHT = 2;

export function describeTinyH264(): DecoderDescription {
  const manifest = createRequire(import.meta.url).resolve("tinyh264/package.json");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return {
    backend: "tinyh264",
    version,
    codecName: "h264",
    codecLongName: "H.264 / AVC, baseline profile (h264bsd)",
    threads: "worker",
    profiles: "baseline",
  };
}

/** @param stuckAfterMs a unit that takes longer ends the decoder */
export function openTinyH264(sequence: Sequence, events: BackendEvents, stuckAfterMs: number): Backend {
  const { sps } = sequence;
  const crop = {
    codedWidth: sps.codedWidth,
    codedHeight: sps.codedHeight,
    left: sps.cropLeft,
    top: sps.cropTop,
    width: sps.width,
    height: sps.height,
  };
  const pool: Pool<TinyJobs> = workers<TinyJobs>(new URL("./tinyh264.worker.js", import.meta.url), 1);
  const stopped = new AbortController();
  let queue: Promise<void> = Promise.resolve();
  let inFlight = 0;
  let wake: (() => void) | undefined;
  /** The decoder's memory of earlier pictures is of no use until it begins anew. */
  let stale = true;
  let failed = false;

  const fail = (cause: unknown): void => {
    if (failed || stopped.signal.aborted) return;
    failed = true;
    void close();
    events.failed(cause);
  };

  const close = async (): Promise<void> => {
    stopped.abort();
    wake?.();
    await pool.close();
  };

  const run = async (unit: BackendUnit): Promise<Picture | undefined> => {
    const begin = unit.key && stale;
    const units = [...nalUnits(unit.data)].flatMap(({ type, bytes }) => (wanted(type) ? bytes.slice() : []));
    const timer = new AbortController();
    const stuck = delay(stuckAfterMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`tinyh264 was stuck for ${stuckAfterMs} ms`);
    });
    stuck.catch(() => {});
    try {
      const move = units.map(({ buffer }) => buffer);
      const { i420, damaged } = await Promise.race([pool.run("decode", { begin, units, crop }, { move }), stuck]);
      // Damage stays in the pictures after it. A key picture clears it only in a decoder that begins anew: this one
      // goes wrong for good after some kinds of it.
      stale = damaged || (stale && !begin);
      return i420 && { number: unit.number, width: crop.width, height: crop.height, i420, damaged: stale };
    } finally {
      timer.abort();
    }
  };

  return {
    description: describeTinyH264(),
    async decode(unit) {
      inFlight++;
      queue = queue.then(async () => {
        try {
          if (failed || stopped.signal.aborted) return;
          const picture = await run(unit);
          if (picture && !stopped.signal.aborted) events.picture(picture);
        } catch (cause) {
          fail(cause);
        } finally {
          inFlight--;
          wake?.();
        }
      });
      while (inFlight >= MAX_IN_FLIGHT && !stopped.signal.aborted)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    async flush() {
      await queue;
      await close();
    },
    close,
    pause() {}, // What is in flight is all that can come out.
  };
}

/** Others are enhancements and information, which it has no use for. */
function wanted(type: number): boolean {
  return type === NAL.slice || type === NAL.keySlice || type === NAL.sps || type === NAL.pps;
}
