/**
 * The `moov` box: what an MP4 of one H.264 track says of it. A file that grows has one with empty tables at its
 * beginning, and one with all of its pictures at its end once it is whole.
 */
import { readSps, type Sps } from "@cairn/video";
import { box, fullBox, text, u8, u16, u32, u64 } from "./boxes.ts";

/** Ticks of the track's times a second: microseconds, as producers count. */
const TIMESCALE = 1_000_000;
const TRACK = 1;
/** Of 16.16 numbers. */
const IDENTITY = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
const UNDEFINED_LANGUAGE = 0x55c4;

/** The parameter sets of a track, without start codes. */
export type TrackSets = { readonly sps: readonly Uint8Array[]; readonly pps: readonly Uint8Array[] };

/** Tables of the pictures, as bodies of boxes; left out: empty. */
export type SampleTables = {
  readonly durationTicks: number;
  /** `stts`, `ctts`, `stss`, `stsc`, `stsz`, `co64`. */
  readonly boxes: readonly Uint8Array[];
};

export function movie(sets: TrackSets, tables?: SampleTables): Buffer {
  const sps = readSps(sets.sps[0]!);
  const ticks = tables?.durationTicks ?? 0;
  const durationMs = Math.round((ticks / TIMESCALE) * 1000);
  return box(
    "moov",
    fullBox(
      "mvhd",
      1,
      0,
      u64(0, 0),
      u32(1000),
      u64(durationMs),
      u32(0x10000),
      u16(0x100, 0),
      u32(0, 0),
      IDENTITY,
      Buffer.alloc(24),
      u32(TRACK + 1),
    ),
    box(
      "trak",
      fullBox(
        "tkhd",
        1,
        3, // enabled, in the movie
        u64(0, 0),
        u32(TRACK, 0),
        u64(durationMs),
        u32(0, 0),
        u16(0, 0, 0, 0),
        IDENTITY,
        u32(sps.width * 0x10000, sps.height * 0x10000),
      ),
      box(
        "mdia",
        fullBox("mdhd", 1, 0, u64(0, 0), u32(TIMESCALE), u64(ticks), u16(UNDEFINED_LANGUAGE, 0)),
        fullBox("hdlr", 0, 0, u32(0), text("vide"), u32(0, 0, 0), text("Cairn\0")),
        box(
          "minf",
          fullBox("vmhd", 0, 1, u16(0, 0, 0, 0)),
          box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1))),
          box("stbl", fullBox("stsd", 0, 0, u32(1), avc1(sps, sets)), ...(tables?.boxes ?? EMPTY_TABLES)),
        ),
      ),
    ),
    // Only a file with fragments: in the others nothing comes after.
    ...(tables ? [] : [box("mvex", fullBox("trex", 0, 0, u32(TRACK, 1, 0, 0, 0)))]),
  );
}

const EMPTY_TABLES = [
  fullBox("stts", 0, 0, u32(0)),
  fullBox("stsc", 0, 0, u32(0)),
  fullBox("stsz", 0, 0, u32(0, 0)),
  fullBox("stco", 0, 0, u32(0)),
];

function avc1(sps: Sps, sets: TrackSets): Buffer {
  return box(
    "avc1",
    Buffer.alloc(6),
    u16(1), // where its data is: in this file
    Buffer.alloc(16),
    u16(sps.width, sps.height),
    u32(72 * 0x10000, 72 * 0x10000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(24, 0xffff),
    box("avcC", avcConfig(sps, sets)),
  );
}

/** `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1); units behind sizes of four bytes. */
function avcConfig(sps: Sps, sets: TrackSets): Buffer {
  const behindSizes = (units: readonly Uint8Array[]) => units.flatMap((unit) => [u16(unit.length), unit]);
  const beyondMain = ![66, 77, 88].includes(sps.profileIdc);
  const depth = 0xf8 | (sps.bitDepth - 8);
  return Buffer.concat([
    u8(1, sps.profileIdc, sps.constraints, sps.levelIdc, 0xff, 0xe0 | sets.sps.length),
    ...behindSizes(sets.sps),
    u8(sets.pps.length),
    ...behindSizes(sets.pps),
    ...(beyondMain ? [u8(0xfc | sps.chromaFormatIdc, depth, depth, 0)] : []),
  ]);
}
