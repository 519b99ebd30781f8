/** The files of one recording until they are blobs: `DATA/recordings/ID/`, with what a restart must know of it. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { check, type EventData, RecordingEnd, RecordingFile, TimeNs } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { BlobStore } from "../blob/blob-store.ts";
import { errnoOf, makeFolder, syncFolder, writeFileDurably } from "../disk/disk.ts";
import { finishMp4 } from "./mp4/finish.ts";

const Owner = Type.Object({ space: Type.String() });
const Facts = Type.Omit(RecordingFile, ["blob", "sizeBytes"]);
type Facts = Static<typeof Facts>;
const Ending = Type.Object({
  reason: RecordingEnd,
  endedNs: TimeNs,
  lost: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Its files are whole; from then on they are not written to. */
  files: Type.Optional(Type.Array(Facts)),
});
/** How a recording ended. */
export type Ending = Static<typeof Ending>;

const OWNER = "recording.json";
const ENDING = "ending.json";
const MCAP_NAME = "everything.mcap";
/** `SOURCE-FROM.mp4`: when its first picture came, nanoseconds since 1970. */
const MP4_NAME = /^(?<source>[A-Za-z0-9._-]{1,64})-(?<fromNs>[0-9]{1,19})\.mp4$/;

export class RecordingFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async make(path: string, space: string): Promise<RecordingFolder> {
    await makeFolder(path);
    await writeFileDurably(join(path, OWNER), JSON.stringify({ space }));
    return new RecordingFolder(path);
  }

  /** The space it is of; undefined when a crash came before it was made. @throws what the disk says */
  async space(): Promise<string | undefined> {
    const text = await readFile(join(this.path, OWNER), "utf8").catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    });
    return text === undefined ? undefined : check(Owner, JSON.parse(text)).space;
  }

  mp4Path(source: string, fromNs: bigint): string {
    return join(this.path, `${source}-${fromNs}.mp4`);
  }

  get mcapPath(): string {
    return join(this.path, MCAP_NAME);
  }

  /** A restart that finds nothing of this calls it a crash. */
  async rememberEnding(ending: Ending): Promise<void> {
    await writeFileDurably(join(this.path, ENDING), JSON.stringify(ending));
  }

  /**
   * Makes the files whole, and blobs. May be done again, whatever stopped it.
   * @param how it ended, where that could not be remembered; left out: in a crash
   * @throws what the disk says; the signal's reason
   */
  async finish(
    blobs: BlobStore,
    signal: AbortSignal,
    how?: Ending,
  ): Promise<Omit<EventData<"recording.ended">, "recording">> {
    const known = await this.#read(ENDING, Ending);
    const files = known?.files ?? (await this.#finishFiles());
    const latestNs = files.reduce((latest, { toNs }) => (BigInt(toNs) > BigInt(latest) ? toNs : latest), "0");
    const ending: Ending = known ?? how ?? { reason: "crashed", endedNs: latestNs };
    if (!known?.files) await this.rememberEnding({ ...ending, files });
    const stored: RecordingFile[] = [];
    for (const file of files) {
      const { digest, sizeBytes } = await blobs.adopt(join(this.path, file.name), { signal });
      stored.push({ ...file, blob: digest, sizeBytes });
    }
    return { ...ending, files: stored };
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await syncFolder(join(this.path, "..")).catch(() => undefined);
  }

  async #finishFiles(): Promise<Facts[]> {
    const files: Facts[] = [];
    for (const name of (await readdir(this.path)).sort()) {
      const facts = name === MCAP_NAME ? await this.#finishMcap() : await this.#finishMp4(name);
      if (facts) files.push(facts);
    }
    // In the order of time; what has everything last.
    return files.sort(
      (a, b) =>
        Number(b.format === "mp4") - Number(a.format === "mp4") || (BigInt(a.fromNs) < BigInt(b.fromNs) ? -1 : 1),
    );
  }

  async #finishMp4(name: string): Promise<Facts | undefined> {
    const { source = "", fromNs = "" } = MP4_NAME.exec(name)?.groups ?? {};
    if (source === "") return undefined;
    const finished = await finishMp4(join(this.path, name));
    if (!finished) return undefined;
    const { durationUs, ...facts } = finished;
    const toNs = String(BigInt(fromNs) + BigInt(durationUs) * 1000n);
    return { name, format: "mp4", source, fromNs, toNs, ...facts };
  }

  async #finishMcap(): Promise<Facts | undefined> {
    const { finishMcap } = await import("./mcap/finish.ts"); // with the library of MCAP
    const finished = await finishMcap(this.mcapPath);
    if (!finished || finished.messages === 0) return undefined;
    const { messages, fromNs, toNs } = finished;
    return { name: MCAP_NAME, format: "mcap", messages, fromNs: String(fromNs), toNs: String(toNs) };
  }

  async #read<T extends Type.TSchema>(name: string, shape: T): Promise<Static<T> | undefined> {
    try {
      return check(shape, JSON.parse(await readFile(join(this.path, name), "utf8")));
    } catch {
      return undefined; // never written, or not whole
    }
  }
}
