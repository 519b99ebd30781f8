/** Whole reads and whole writes at a place of a file: the system's own may stop half-way without an error. */
import type { FileHandle } from "node:fs/promises";

export async function readAt(file: FileHandle, at: number, sizeBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  for (let done = 0; done < sizeBytes; ) {
    const { bytesRead } = await file.read(bytes, done, sizeBytes - done, at + done);
    if (bytesRead === 0) throw new RangeError("the file became shorter");
    done += bytesRead;
  }
  return bytes;
}

export async function writeAt(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}
