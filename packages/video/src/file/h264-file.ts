/** A file that is a bare H.264 stream: read in pieces, in constant memory, as units with start codes. */
import { open } from "node:fs/promises";
import { type AccessUnit, AccessUnitAssembler, MAX_ACCESS_UNIT_BYTES } from "../h264/access-unit.ts";
import { NAL, nalUnits, startsWithStartCode } from "../h264/nal.ts";
import { readSps } from "../h264/parameter-sets.ts";

const PIECE_BYTES = 1 << 18;
/** A bare stream may not say how fast it is. */
const DEFAULT_FRAMES_PER_S = 30;

/** Whether a file begins as a bare H.264 stream does: with a delimiter, information or a parameter set. */
export function looksLikeH264(head: Uint8Array): boolean {
  if (!startsWithStartCode(head)) return false;
  for (const { type, bytes } of nalUnits(head)) return type >= NAL.sei && type <= NAL.delimiter && bytes[0]! < 128;
  return false;
}

/**
 * The pictures of a bare stream, in the order of decoding; their times are counted, by the stream's own rate if it
 * says one (the order of showing is not told by such a file).
 * @param read bytes read so far, after each piece
 */
export async function* h264Units(path: string, read: (bytes: number) => void): AsyncGenerator<AccessUnit, void> {
  // A piece is bounded by its bytes.
  const assembler = new AccessUnitAssembler({ mostUnits: Number.POSITIVE_INFINITY });
  let rate = DEFAULT_FRAMES_PER_S;
  let rateSinceNs = 0n;
  let framesSince = 0;
  const timed = (unit: AccessUnit): AccessUnit => {
    const timeNs = rateSinceNs + BigInt(Math.round((framesSince * 1e9) / rate));
    const rateNow = rateOf(unit) ?? rate;
    if (rateNow !== rate) {
      rate = rateNow;
      rateSinceNs = timeNs;
      framesSince = 0;
    }
    framesSince++;
    return { ...unit, timeNs, counted: true };
  };
  const file = await open(path);
  try {
    let rest: Uint8Array = new Uint8Array();
    let total = 0;
    for (;;) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES);
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES);
      total += bytesRead;
      const bytes = Buffer.concat([rest, piece.subarray(0, bytesRead)]);
      // The last unit may go on in the next piece; one that is larger than a picture may be is cut.
      const whole = bytesRead === 0 ? bytes.length : lastStartCode(bytes);
      const cut = bytes.length - whole > MAX_ACCESS_UNIT_BYTES ? bytes.length : whole;
      for (const unit of assembler.push(bytes.subarray(0, cut), 0n)) yield timed(unit);
      rest = bytes.subarray(cut);
      read(total);
      if (bytesRead === 0) break;
    }
    for (const unit of assembler.flush()) yield timed(unit);
  } finally {
    await file.close();
  }
}

/** Where the last unit begins; 0 when there is none. */
function lastStartCode(bytes: Uint8Array): number {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).lastIndexOf(START);
  if (at < 0) return 0;
  return at > 0 && bytes[at - 1] === 0 ? at - 1 : at;
}

const START = Buffer.of(0, 0, 1);

function rateOf(unit: AccessUnit): number | undefined {
  if (!unit.key) return undefined;
  for (const { type, bytes } of nalUnits(unit.data)) {
    if (type !== NAL.sps) continue;
    try {
      return readSps(bytes).vui.framesPerS;
    } catch {
      return undefined;
    }
  }
  return undefined;
}
