/** Where in a recording a time lies: its span, and which file shows a source then. Pure; times in milliseconds of it. */
import type { RecordingFile, RecordingState } from "@cairn/protocol";

/** A stretch of video, from the recording's beginning on. */
export type Stretch = { readonly file: RecordingFile; readonly fromMs: number; readonly toMs: number };

type RecordingSpan = {
  /** Nanoseconds since 1970. */
  readonly startNs: bigint;
  readonly durationMs: number;
  /** By source; each in the order of time. */
  readonly sources: ReadonlyMap<string, readonly Stretch[]>;
};

/** Of one that has ended. It may begin before it was started: with the picture that was on the air. */
export function spanOf({ startedNs, ended }: RecordingState): RecordingSpan {
  const files = ended?.files ?? [];
  const least = (a: bigint, b: bigint) => (a < b ? a : b);
  const most = (a: bigint, b: bigint) => (a > b ? a : b);
  const startNs = files.map(({ fromNs }) => BigInt(fromNs)).reduce(least, BigInt(startedNs));
  const endNs = files.map(({ toNs }) => BigInt(toNs)).reduce(most, startNs);
  const ms = (timeNs: string) => Number(BigInt(timeNs) - startNs) / 1e6;
  const sources = new Map<string, Stretch[]>();
  for (const file of files) {
    if (file.format !== "mp4" || file.source === undefined) continue;
    const stretches = sources.get(file.source) ?? [];
    sources.set(file.source, stretches);
    stretches.push({ file, fromMs: ms(file.fromNs), toMs: ms(file.toNs) });
  }
  for (const stretches of sources.values()) stretches.sort((a, b) => a.fromMs - b.fromMs);
  return { startNs, durationMs: Number(endNs - startNs) / 1e6, sources };
}

/** What is to be seen at a time: the stretch that it lies in, or the one before, whose last picture stands. */
export function stretchAt(stretches: readonly Stretch[], atMs: number): Stretch | undefined {
  return stretches.findLast(({ fromMs }) => fromMs <= atMs) ?? stretches[0];
}

/** `1:02:03`, or `2:03`. */
export function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}
