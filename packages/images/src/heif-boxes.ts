/**
 * What a HEIC file declares, read from its boxes (ISO/IEC 14496-12, 23008-12) before libheif sees it: properties lie
 * in `meta` → `iprp` → `ipco`. A phone's photo is a grid of tiles, and the grid's own `ispe` is the largest.
 */
const MAX_BOXES = 10_000;

type HeifDeclaration = {
  /** Pixels of the largest picture; 0 when none is declared. */
  pixels: number;
  /** The colours are Display P3: libheif hands them out as they are. */
  displayP3: boolean;
};

export function readHeifBoxes(bytes: Uint8Array): HeifDeclaration {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  const found: HeifDeclaration = { pixels: 0, displayP3: false };
  let left = MAX_BOXES;

  function walk(start: number, end: number): void {
    let at = start;
    while (at + 8 <= end && left-- > 0) {
      const kind = text(at + 4);
      let header = 8;
      let size = view.getUint32(at);
      if (size === 1 && at + 16 <= end) {
        header = 16;
        size = Number(view.getBigUint64(at + 8));
      } else if (size === 0) size = end - at;
      if (size < header) return;
      const body = at + header;
      const boxEnd = Math.min(at + size, end);
      // `meta` is a full box: four bytes of version and flags come before its children.
      if (kind === "meta") walk(body + 4, boxEnd);
      else if (kind === "iprp" || kind === "ipco") walk(body, boxEnd);
      else if (kind === "ispe" && body + 12 <= boxEnd) {
        found.pixels = Math.max(found.pixels, view.getUint32(body + 4) * view.getUint32(body + 8));
      } else if (kind === "colr" && body + 6 <= boxEnd) {
        if (text(body) === "prof") found.displayP3 ||= profileIsP3(body + 4, boxEnd);
        // ITU-T H.273: colour primaries 12 are Display P3.
        else if (text(body) === "nclx") found.displayP3 ||= view.getUint16(body + 4) === 12;
      }
      at += size;
    }
  }

  /** By the red colorant of the ICC profile (adapted to D50: X = 0.515 for P3, 0.436 for sRGB); names vary. */
  function profileIsP3(start: number, end: number): boolean {
    const tags = start + 132 <= end ? Math.min(view.getUint32(start + 128), 100) : 0;
    for (let at = start + 132, i = 0; i < tags && at + 12 <= end; i++, at += 12) {
      const value = start + view.getUint32(at + 4);
      if (text(at) === "rXYZ" && value + 12 <= end) return Math.abs(view.getInt32(value + 8) / 65536 - 0.515) < 0.01;
    }
    return false;
  }

  walk(0, bytes.length);
  return found;
}
