/** The thread in which one file of points is read: whatever is in the file, it costs no more than this thread. */
import { type FileHandle, open } from "node:fs/promises";
import type { PointRun } from "@cairn/formats";
import { openPointFile, type PointFile, type PointSource } from "@cairn/formats/read";
import { serve } from "@cairn/worker";
import type { ReadJobs } from "./read-jobs.ts";
import { Surveyor } from "./survey.ts";

let file: PointFile | undefined;
let looking: { readonly runs: AsyncGenerator<PointRun>; readonly surveyor: Surveyor } | undefined;
let runs: AsyncGenerator<PointRun> | undefined;

serve<ReadJobs>({
  async open({ path }) {
    file = await openPointFile(await fileSource(path));
    const { chunks: _, ...facts } = file;
    return facts;
  },

  async look() {
    if (!file) throw new RangeError("no file is open");
    looking ??= { runs: file.chunks(), surveyor: new Surveyor(file.count) };
    const { runs: all, surveyor } = looking;
    const { done, value } = await all.next();
    if (!done) surveyor.add(value.positions);
    return { points: surveyor.seen, ...(done && { survey: surveyor.survey }) };
  },

  async next(_job, report) {
    runs ??= file?.chunks();
    const next = await runs?.next();
    if (!next || next.done) return undefined;
    const { positions, colors, photos, confidences, normals } = next.value;
    for (const array of [positions, colors, photos, confidences, normals]) {
      if (ArrayBuffer.isView(array)) report.move(array.buffer as ArrayBuffer); // a run is the caller's
    }
    return next.value;
  },
});

/** Open for as long as the thread lives. */
async function fileSource(path: string): Promise<PointSource> {
  const file = await open(path, "r");
  return { sizeBytes: (await file.stat()).size, range: (start, end) => readRange(file, start, end) };
}

/** Shorter than asked for when the file ends before. */
async function readRange(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, end - start));
  let at = 0;
  while (at < bytes.length) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}
