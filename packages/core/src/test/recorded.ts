/** For tests of recordings: a stream that is kept, its pictures one by one, and what is in a recording's files. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Id, RecordingFile, RecordingState } from "@cairn/protocol";
import { type AccessUnit, AccessUnitAssembler, HUB_FLAG, HUB_PACKET, NAL, nalUnits, openVideoFile } from "@cairn/video";
import type { Core } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import type { IncomingPacket } from "../video/stream-packet.ts";
import type { McapContents } from "./read-mcap.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../../../", import.meta.url));
/** 90 × 74 pixels, 24 pictures of 2 slices, a key picture every 8. */
export const STREAM = join(root, "packages/video/fixtures/baseline-90x74.h264");
export const PICTURE_NS = 33_333_000n;

/** The pictures of {@link STREAM}. */
export async function pictures(): Promise<AccessUnit[]> {
  const assembler = new AccessUnitAssembler();
  return [...assembler.push(await readFile(STREAM), 0n), ...assembler.flush()];
}

/** As a producer sends it: pictures by an even clock of its own that began at `firstNs`, arriving as they were taken. */
export function packetsOf(units: readonly AccessUnit[], from = 0, firstNs = 5_000_000_000n): IncomingPacket[] {
  const beganMs = performance.now();
  return units.map(({ data, key }, i) => ({
    type: key ? HUB_PACKET.key : HUB_PACKET.frame,
    flags: key ? HUB_FLAG.key : 0,
    timeNs: firstNs + BigInt(from + i) * PICTURE_NS,
    arrivedMs: beganMs + (i * Number(PICTURE_NS)) / 1e6,
    data,
  }));
}

/** What of a picture is coded: without parameter sets, which a file has at its head. */
export function coded(unit: AccessUnit): string {
  const hash = createHash("md5");
  for (const { type, bytes } of nalUnits(unit.data)) if (type !== NAL.sps && type !== NAL.pps) hash.update(bytes);
  return hash.digest("hex");
}

/** Resolves when the event is there that names its files. */
export async function ended(space: Space, recording: Id): Promise<Required<RecordingState>["ended"]> {
  const find = () => space.log.snapshot().state.recordings?.[recording]?.ended;
  const now = find();
  if (now) return now;
  for await (const _ of space.log.follow(space.log.head)) {
    const then = find();
    if (then) return then;
  }
  throw new Error("the log closed before the recording ended");
}

/** A file of a recording, on the disk again. */
export async function fetched(core: Core, folder: string, file: RecordingFile): Promise<string> {
  const path = join(folder, `${file.blob}.${file.format}`);
  const bytes = await core.blobs.get(file.blob);
  assert.equal(bytes.length, file.sizeBytes);
  await writeFile(path, bytes);
  return path;
}

/** The pictures of an MP4, by a reader that nobody here wrote. */
export async function unitsIn(path: string): Promise<AccessUnit[]> {
  const file = await openVideoFile(path);
  try {
    const units: AccessUnit[] = [];
    for await (const unit of file.units()) units.push(unit);
    return units;
  } finally {
    file.close();
  }
}

export async function readMcap(path: string, how: "indexed" | "streamed" = "indexed"): Promise<McapContents> {
  const reader = fileURLToPath(new URL("./read-mcap.js", import.meta.url));
  const { stdout } = await run(process.execPath, [reader, path, how], { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout) as McapContents;
}
