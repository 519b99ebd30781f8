/**
 * STL, both kinds. Which one a file is, its length says: a binary one is 84 + 50·n bytes, and its header may well begin
 * with the word `solid`.
 */
import { FacetList, type Facets, refuseMesh } from "./facets.ts";

const HEAD_BYTES = 84;
const FACET_BYTES = 50;
/** JavaScript has no longer texts. */
const MAX_TEXT_BYTES = 2 ** 29 - 64;

/** Whether the length is right for the number of facets that the header tells. @param head the first 84 bytes or more */
export function isBinaryStl(head: Uint8Array, sizeBytes: number): boolean {
  if (sizeBytes < HEAD_BYTES || head.length < HEAD_BYTES) return false;
  const count = new DataView(head.buffer, head.byteOffset).getUint32(80, true);
  return sizeBytes === HEAD_BYTES + FACET_BYTES * count;
}

/** Whether it begins and ends as a text STL does. @param tail the last bytes, a line or more */
export function isWholeTextStl(head: Uint8Array, tail: Uint8Array): boolean {
  const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
  return /^\s*solid\b/i.test(text(head.subarray(0, 256))) && /(^|\s)endsolid[^\r\n]*\s*$/i.test(text(tail));
}

/** @throws {CairnError} `design.unreadable` */
export function readStl(bytes: Uint8Array): Facets {
  return isBinaryStl(bytes, bytes.length) ? readBinary(bytes) : readText(bytes);
}

function readBinary(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(80, true);
  const facets = new Float32Array(count * 9);
  for (let facet = 0, to = 0; facet < count; facet++) {
    // The normal before the corners follows from them, and many writers leave it zero.
    const at = HEAD_BYTES + facet * FACET_BYTES + 12;
    for (let i = 0; i < 9; i++) facets[to++] = view.getFloat32(at + i * 4, true);
  }
  return facets;
}

const CORNER = String.raw`\s+vertex\s+(\S+)\s+(\S+)\s+(\S+)`;
const FACET = String.raw`\s*facet\s+normal\s+\S+\s+\S+\s+\S+\s+outer\s+loop${CORNER.repeat(3)}\s+endloop\s+endfacet`;

function readText(bytes: Uint8Array): Facets {
  if (bytes.length > MAX_TEXT_BYTES) throw refuseMesh("stl", "a text longer than 512 MiB");
  const text = new TextDecoder("latin1").decode(bytes);
  const begin = /\s*solid\b[^\r\n]*/iy;
  const facet = new RegExp(FACET, "iy");
  const end = /\s*endsolid\b[^\r\n]*/iy;
  const facets = new FacetList();
  const corners = [new Float64Array(3), new Float64Array(3), new Float64Array(3)] as const;
  let at = 0;
  do {
    begin.lastIndex = at;
    if (!begin.test(text)) throw refuseMesh("stl", "not an STL file");
    at = begin.lastIndex;
    for (;;) {
      facet.lastIndex = at;
      const found = facet.exec(text);
      if (!found) break;
      for (let i = 0; i < 9; i++) corners[Math.floor(i / 3)]![i % 3] = numberOf(found[i + 1]!);
      facets.add(...corners);
      at = facet.lastIndex;
    }
    end.lastIndex = at;
    if (!end.test(text)) throw refuseMesh("stl", "not an STL file");
    at = end.lastIndex;
  } while (/\S/.test(text.slice(at, at + 64)) && at < text.length);
  return facets.take();
}

/** A NaN is one that the file has: it is refused with the others that are not finite. */
function numberOf(word: string): number {
  if (/^[+-]?(nan|inf(inity)?)/i.test(word)) return Number.NaN;
  const value = Number(word);
  if (Number.isNaN(value)) throw refuseMesh("stl", "not an STL file");
  return value;
}
