/** Which files were found to be what they should be, for some minutes: the same file, unwritten since. Bounded in count. */
import type { BigIntStats } from "node:fs";
import type { Digest } from "@cairn/protocol";

/** A disk loses bits without anybody writing: what is asked for is looked at again after so long. */
const GOOD_MS = 600_000;
const MAX_FILES = 4096;

export class VerifiedFiles {
  /** Oldest first. */
  readonly #known = new Map<Digest, { file: string; untilMs: number }>();

  has(digest: Digest, stats: BigIntStats): boolean {
    const known = this.#known.get(digest);
    return known?.file === fileOf(stats) && performance.now() < known.untilMs;
  }

  /** @param stats from before it was read: what is written meanwhile makes it another */
  add(digest: Digest, stats: BigIntStats): void {
    this.#known.delete(digest);
    this.#known.set(digest, { file: fileOf(stats), untilMs: performance.now() + GOOD_MS });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_FILES) break;
      this.#known.delete(oldest);
    }
  }
}

function fileOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join();
}
