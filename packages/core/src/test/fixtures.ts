/** Shared by tests: folders that go away, and drafts that are small but real. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { EventDraft } from "@cairn/protocol";
import type { SpaceLogOptions } from "../log/file-space-log.ts";
import { openSegmentFile } from "../log/segment.ts";

const endings = new WeakMap<TestContext, (() => unknown)[]>();

/** Runs when the test ends; what was asked last comes first, so a log closes before its folder goes. */
export function afterwards(t: TestContext, end: () => unknown): void {
  const known = endings.get(t);
  if (known) {
    known.push(end);
    return;
  }
  const ends = [end];
  endings.set(t, ends);
  t.after(async () => {
    for (const each of ends.reverse()) await each();
  });
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-test-"));
  afterwards(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A disk that has no room for what logs write while it is `full`. */
export function fillableDisk(full: boolean): { full: boolean; log: SpaceLogOptions } {
  const disk = { full, log: { openSegment } };
  async function openSegment(path: string) {
    const file = await openSegmentFile(path);
    const write: typeof file.write = async (bytes, offset) => {
      if (disk.full) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
      await file.write(bytes, offset);
    };
    return { ...file, write };
  }
  return disk;
}

/** A draft that every log takes; its title tells it from others. */
export function renamed(title: string): EventDraft {
  return { type: "space.renamed", data: { title } };
}

export function idOf(n: number): string {
  return `${n.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

/** Events of several kinds that replace each other, from a number. */
export function variedDraft(n: number): EventDraft {
  const operation = idOf(n % 3);
  switch (n % 7) {
    case 0:
      return { type: "generation.started", data: { generation: 1 + (n % 4) } };
    case 1:
      return {
        type: "camera.posed",
        data: {
          generation: 1 + (n % 4),
          image: idOf(n % 5),
          pose: { rotation: [1, 0, 0, 0], translation: [n, 0, 0] },
          intrinsics: { model: "PINHOLE", width: 4, height: 3, params: [4, 4, 2, 1.5] },
          reprojectionPx: 0.5,
        },
      };
    case 2:
      return { type: "operation.started", data: { operation, kind: "work" } };
    case 3:
      return { type: "operation.progressed", data: { operation, stage: "s", done: n, total: 1e6 } };
    case 4:
      return { type: "operation.completed", data: { operation } };
    case 5:
      return { type: "image.judged", data: { image: idOf(n % 5), verdict: "registered", matches: n } };
    default:
      return renamed(`title ${n} — é`);
  }
}
