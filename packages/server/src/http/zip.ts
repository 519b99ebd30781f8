/** A zip archive of a few files, deflated, in memory (PKWARE APPNOTE 6.3.3; no zip64: each part under 4 GiB). */
import { promisify } from "node:util";
import { crc32, deflateRaw } from "node:zlib";

export async function zip(files: readonly { name: string; bytes: Uint8Array }[]): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, bytes } of files) {
    const packed = await promisify(deflateRaw)(bytes);
    const nameBytes = Buffer.from(name);
    // Version 2.0, no flags, method 8, dated 1 January 1980: the same model gives the same archive.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const entry = Buffer.alloc(46);
    entry.write("PK\x01\x02", 0, "latin1");
    entry.writeUInt16LE(20, 4);
    common.copy(entry, 6);
    entry.writeUInt32LE(at, 42);
    directory.push(entry, nameBytes);
    parts.push(Buffer.from("PK\x03\x04", "latin1"), common, nameBytes, packed);
    at += 4 + common.length + nameBytes.length + packed.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listing, end]);
}
