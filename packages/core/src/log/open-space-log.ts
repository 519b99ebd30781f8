/** Opens a log, after a crash too: finds out what its folder holds, and cuts off what was never acknowledged. */
import { readdir, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { applyEvent, CairnError, emptyState } from "@cairn/protocol";
import { makeFolder, removeFile, storeError, TEMPORARY } from "../disk/disk.ts";
import { claimIdentity, readState } from "./checkpoint.ts";
import { FileSpaceLog, type SpaceLogOptions } from "./file-space-log.ts";
import { scanLines } from "./record.ts";
import { firstOfSegment, Segment } from "./segment.ts";
import { Tail } from "./tail.ts";

/**
 * Opens the log in `folder`, makes it when there is none, and cuts off a write that a crash interrupted.
 * A damaged event does not stop it from opening: what comes before stays readable, appends are refused.
 * @throws {CairnError} `store.full`, `store.failed`
 */
export async function openSpaceLog(folder: string, options: SpaceLogOptions = {}): Promise<FileSpaceLog> {
  try {
    await makeFolder(folder);
    return await recover(folder, options);
  } catch (error) {
    throw storeError(error);
  }
}

async function recover(folder: string, options: SpaceLogOptions): Promise<FileSpaceLog> {
  const names = await readdir(folder);
  for (const name of names) if (name.endsWith(TEMPORARY)) await removeFile(join(folder, name));
  const firsts = names.map(firstOfSegment).filter((first) => first !== undefined);
  firsts.sort((a, b) => a - b);
  const oldest = firsts[0] ?? 1;
  const newest = firsts.at(-1) ?? 1;
  const identity = await claimIdentity(folder, oldest);

  const known = await readState(folder, (seq) => seq + 1 >= oldest);
  const state = known?.state ?? emptyState();
  const tail = new Tail();
  const segments: Segment[] = [];
  let head = known?.seq ?? oldest - 1;
  let corrupt = known === undefined && oldest > 1 ? { seq: oldest, segment: oldest } : undefined;

  for (const [index, first] of firsts.entries()) {
    const segment = new Segment(folder, first, 0);
    segments.push(segment);
    const next = firsts[index + 1];
    // What the known state already holds need not be read; but the newest one is always checked to its end.
    if (corrupt || (next !== undefined && next <= head + 1)) {
      segment.sizeBytes = (await stat(segment.path)).size;
      continue;
    }
    const bytes = await readFile(segment.path);
    segment.sizeBytes = bytes.length;
    const scan = scanLines(bytes, first, (event, offset, sizeBytes) => {
      segment.mark(event.seq, offset);
      tail.add(event, sizeBytes);
      if (event.seq <= head) return;
      applyEvent(state, event);
      head = event.seq;
    });
    if (scan.damage && (scan.damage.kind === "corrupt" || next !== undefined)) {
      corrupt = { seq: scan.damage.seq, segment: first };
    } else if (scan.seq < head || (next !== undefined && scan.seq + 1 !== next)) {
      corrupt = { seq: scan.seq + 1, segment: first };
    } else if (scan.damage) {
      await truncate(segment.path, scan.endOffset);
      segment.sizeBytes = scan.endOffset;
    }
  }
  if (segments.length === 0) segments.push(new Segment(folder, newest, 0));
  const log = new FileSpaceLog(folder, options, {
    identity,
    segments,
    state,
    head,
    tail,
    ...(corrupt ? { corrupt: new CairnError("log.corrupt", corrupt) } : {}),
  });
  await log.begin();
  return log;
}
