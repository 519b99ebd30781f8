/**
 * The smallest of FLV (Adobe's specification 10.1, annex E): a header and one tag a picture. ffmpeg is fed with it
 * because its packets are framed and have times: fed with a bare byte stream it holds back a picture until the next
 * begins, a dozen at the start to find out what it has, and cannot say which picture came of what.
 */
import { nalUnits } from "../h264/nal.ts";

/** `numOfPictureParameterSets` is a byte. One set more, which no encoder writes, has to come with the pictures. */
const MAX_PPS = 255;

/** Before all tags: the file's header and the decoder's configuration (`avcC`, ISO 14496-15). */
export function flvHead(spsNal: Uint8Array, ppsNals: readonly Uint8Array[]): Uint8Array {
  const pps = ppsNals.slice(0, MAX_PPS);
  const head = Uint8Array.of(0x46, 0x4c, 0x56, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0);
  const tag = flvTag(0, [
    [0x17, 0, 0, 0, 0],
    [1, spsNal[1]!, spsNal[2]!, spsNal[3]!, 0xff, 0xe1, ...u16(spsNal.length)],
    spsNal,
    [pps.length],
    ...pps.flatMap((nal) => [u16(nal.length), nal]),
  ]);
  return Buffer.concat([head, tag]);
}

/** @param timeMs of showing; `dtsMs`, of decoding, is not after it and never runs backwards */
export function flvPicture(annexB: Uint8Array, key: boolean, timeMs: number, dtsMs: number): Uint8Array {
  const delayMs = timeMs - dtsMs;
  const parts: (Uint8Array | number[])[] = [
    [key ? 0x17 : 0x27, 1, (delayMs >> 16) & 255, (delayMs >> 8) & 255, delayMs & 255],
  ];
  for (const { bytes } of nalUnits(annexB))
    parts.push([...u16(bytes.length >>> 16), ...u16(bytes.length & 0xffff)], bytes);
  return flvTag(dtsMs, parts);
}

function flvTag(timeMs: number, parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const tag = new Uint8Array(11 + size + 4);
  const view = new DataView(tag.buffer);
  view.setUint32(0, 0x09000000 + size); // video; sizes of 24 bits
  view.setUint32(4, ((timeMs & 0xffffff) << 8) | ((timeMs >>> 24) & 255));
  let at = 11;
  for (const part of parts) {
    tag.set(part, at);
    at += part.length;
  }
  view.setUint32(at, 11 + size);
  return tag;
}

function u16(value: number): [number, number] {
  return [(value >>> 8) & 255, value & 255];
}
