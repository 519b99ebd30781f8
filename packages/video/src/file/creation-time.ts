/** When an MP4 or MOV says its recording began (`mvhd`, ISO 14496-12): a date that recorders set, and few readers give. */
import { open } from "node:fs/promises";

/** Boxes looked at before giving up: a file has a handful beside its samples. */
const MAX_BOXES = 64;
const FROM_1904_TO_1970_S = 2_082_844_800;
/** Before it nobody recorded MP4: a clock that was never set. */
const EARLIEST_S = Date.UTC(2000, 0, 1) / 1000;

/** Nanoseconds since 1970; `undefined` when it is not said. */
export async function createdNs(path: string): Promise<bigint | undefined> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(16);
    let at = 0;
    for (let i = 0; i < MAX_BOXES; i++) {
      if ((await file.read(head, 0, 16, at)).bytesRead < 16) return undefined;
      const name = head.toString("latin1", 4, 8);
      if (name === "moov") at += 8;
      else if (name === "mvhd") {
        const fields = Buffer.alloc(12);
        await file.read(fields, 0, 12, at + 8);
        const seconds = fields[0] === 1 ? Number(fields.readBigUInt64BE(4)) : fields.readUInt32BE(4);
        const unixS = seconds - FROM_1904_TO_1970_S;
        return unixS >= EARLIEST_S && unixS < 2 ** 33 ? BigInt(unixS) * 1_000_000_000n : undefined;
      } else {
        const short = head.readUInt32BE(0);
        const size = short === 1 ? Number(head.readBigUInt64BE(8)) : short;
        if (size < 8) return undefined; // 0: to the end of the file
        at += size;
      }
    }
    return undefined;
  } finally {
    await file.close();
  }
}
