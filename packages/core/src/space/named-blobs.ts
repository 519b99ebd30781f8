/** Which blobs the events of all spaces name: the only thing that keeps a blob. Rules BLOB-6, BLOB-7. */
import { readFile } from "node:fs/promises";
import { CairnError, type Digest } from "@cairn/protocol";
import { errnoOf } from "../disk/disk.ts";
import type { FileSpaceLog } from "../log/file-space-log.ts";
import { parseLine } from "../log/record.ts";

const NEWLINE = 10;
/** Events that name bytes of an image: with it they go. The log writes an event's fields in this order. */
const OF_IMAGE = /"type":"image\.(?:added|changed)".*?"data":\{"image":"([0-9a-f-]{36})"/;
/** With a recording its files go. */
const OF_RECORDING = /"type":"recording\.ended".*?"data":\{"recording":"([0-9a-f-]{36})"/;
const DIGEST = /"([0-9a-f]{64})"/g;
/** Of a log that are looked through before others have a turn: some milliseconds. */
const TURN_BYTES = 2 ** 18;

/**
 * Every text that looks like a digest in the log's events and its state, so that an event type added later counts too.
 *
 * Events come and images go while this reads. What an event that comes now names was put a moment ago, and is too young
 * to be collected, or its log has named it before, and that is read here: an image that was there at the beginning
 * counts to the end, for its bytes may have become another's before it went.
 * @throws {CairnError} `log.corrupt`: with an event that cannot be read nobody knows what it names
 */
export async function addNamedBlobs(log: FileSpaceLog, named: Set<Digest>): Promise<void> {
  if (log.corrupt) throw log.corrupt;
  const images = lasting(() => log.snapshot().state.images);
  const recordings = lasting(() => log.snapshot().state.recordings ?? {});
  for (const path of log.segmentPaths) {
    const bytes = await readFile(path).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return Buffer.alloc(0); // Trimmed meanwhile: the state names what counts.
      throw error;
    });
    let looked = 0;
    for (let start = 0, end = bytes.indexOf(NEWLINE); end >= 0; start = end + 1, end = bytes.indexOf(NEWLINE, start)) {
      if (end - looked >= TURN_BYTES) {
        looked = end;
        await new Promise((resolve) => setImmediate(resolve));
      }
      const line = parseLine(bytes, start, end);
      if (!line) throw new CairnError("log.corrupt", { offset: start });
      const text = bytes.toString("latin1", start, end);
      const [, image] = OF_IMAGE.exec(text) ?? [];
      const [, recording] = OF_RECORDING.exec(text) ?? [];
      if (image !== undefined && !images(image)) continue;
      if (recording !== undefined && !recordings(recording)) continue;
      addDigests(text, named);
    }
  }
  // After the events: what was trimmed while they were read is in the state by now.
  addDigests(JSON.stringify(log.snapshot().state), named);
}

/** Whether something is there, or was at the beginning. */
function lasting(now: () => Readonly<Record<string, unknown>>): (id: string) => boolean {
  const before = new Set(Object.keys(now()));
  return (id) => before.has(id) || Object.hasOwn(now(), id);
}

function addDigests(text: string, named: Set<Digest>): void {
  for (const [, digest] of text.matchAll(DIGEST)) if (digest) named.add(digest);
}
