/** All files of one recording while they grow: how large they are together, and how far the disk is behind. */
import type { RecordingEnd } from "@cairn/protocol";
import { GrowingFile } from "./growing-file.ts";

/** Files of one recording. */
const MAX_FILES = 500;
/** What waits for the disk; above it is left out until half of it is gone. */
const MAX_WAITING_BYTES = 32 * 2 ** 20;

export type GrowingFilesOptions = {
  readonly maxBytes: number;
  /** Told each time that they cannot, or may not, go on growing. */
  readonly onEnd: (reason: RecordingEnd) => void;
};

export class GrowingFiles {
  readonly #options: GrowingFilesOptions;
  /** Also those that are closed. */
  readonly #files = new Set<GrowingFile>();
  #behind = false;

  constructor(options: GrowingFilesOptions) {
    this.#options = options;
  }

  get sizeBytes(): number {
    return [...this.#files].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** Of these, what the disk has not taken yet. */
  get waitingBytes(): number {
    return [...this.#files].reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
  }

  /** Undefined: there are as many as there may be. */
  open(path: string): GrowingFile | undefined {
    const { maxBytes, onEnd } = this.#options;
    if (this.#files.size >= MAX_FILES) {
      onEnd("files");
      return undefined;
    }
    const file = new GrowingFile(path, {
      onTrouble: ({ code }) => onEnd(code === "store.full" ? "disk_full" : "disk_failed"),
      onAppended: () => {
        if (this.sizeBytes >= maxBytes) onEnd("bytes");
      },
    });
    this.#files.add(file);
    return file;
  }

  /** Whether the disk is so far behind that nothing more may be appended for now. */
  isBehind(): boolean {
    this.#behind = this.waitingBytes > (this.#behind ? MAX_WAITING_BYTES / 2 : MAX_WAITING_BYTES);
    return this.#behind;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files].map((file) => file.close()));
  }
}
