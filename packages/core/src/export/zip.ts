/** A zip archive as it is being made: each file is read when its turn comes, so the archive may be of any size. */
import { Readable } from "node:stream";
import { ZipFile } from "yazl";

export type ZipEntry = {
  readonly name: string;
  readonly bytes: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** False for what is compressed already. Default true. */
  readonly compress?: boolean;
};

/** The same files give the same archive: all are of the first day that zip knows. */
const EPOCH = new Date(1980, 0, 1);

/** @throws what an entry's bytes throw; the archive then ends where it is, without its directory */
export async function* zipped(
  entries: AsyncIterable<ZipEntry> | Iterable<ZipEntry>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const zip = new ZipFile();
  const out = zip.outputStream as Readable;
  const failed = (error: unknown) => out.destroy(error instanceof Error ? error : new Error(String(error)));
  zip.on("error", failed);
  const stopped = () => failed(signal?.reason);
  signal?.addEventListener("abort", stopped, { once: true });
  const feeding = feed(zip, entries, signal).catch(failed);
  try {
    signal?.throwIfAborted();
    for await (const chunk of out) yield chunk as Uint8Array;
  } finally {
    signal?.removeEventListener("abort", stopped);
    out.destroy();
    await feeding;
  }
}

/** Asks for the next entry when the one before is read to its end: the list itself may be long, and made as it goes. */
async function feed(
  zip: ZipFile,
  entries: AsyncIterable<ZipEntry> | Iterable<ZipEntry>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const out = zip.outputStream as Readable;
  for await (const { name, bytes, compress = true } of entries) {
    signal?.throwIfAborted();
    const stream = Readable.from(bytes());
    const options = { mtime: EPOCH, forceDosTimestamp: true, compress };
    let closed = () => {};
    const read = new Promise<void>((resolve, reject) => {
      stream.once("end", resolve).once("error", reject);
      // Whoever reads the archive may stop; then the entry is not read to its end.
      closed = () => {
        stream.destroy();
        resolve();
      };
      out.once("close", closed);
    });
    zip.addReadStream(stream, name, options);
    try {
      await read;
    } finally {
      out.off("close", closed);
    }
    if (out.destroyed) return;
  }
  zip.end();
}
