import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type DensePoints, FusedParts } from "./fused-parts.ts";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";

function part(number: number, count: number): DensePoints {
  return {
    positions: Float32Array.from({ length: 3 * count }, (_, at) => number + at / 8),
    colors: new Uint8Array(3 * count).fill(number),
    confidences: new Uint8Array(count).fill(100 + number),
    source: new Uint32Array(count).fill(70_000 + number),
  };
}

function withParts(maxBytes: number, use: (parts: FusedParts, shelf: Shelf, scratch: Scratch) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "cairn-parts-"));
  const scratch = new Scratch(folder);
  const shelf = new Shelf(scratch, maxBytes);
  try {
    use(new FusedParts(shelf), shelf, scratch);
  } finally {
    scratch.close();
    rmSync(folder, { recursive: true });
  }
}

const SIZES = [50, 0, 7, 120, 1];

for (const maxBytes of [100, 1e6]) {
  test(`REC-13 fused parts come back in order whenever each was done, with ${maxBytes} bytes of memory`, () => {
    withParts(maxBytes, (parts, shelf, scratch) => {
      for (const number of [3, 1, 0, 4, 2]) parts.put(number, part(number, SIZES[number]));
      assert.equal(parts.count, 178);
      assert.ok(shelf.heldBytes <= Math.max(maxBytes, 12 * 120));
      const expected = [0, 2, 3, 4].map((number) => part(number, SIZES[number]));
      assert.deepEqual([...parts], expected);
      assert.deepEqual([parts.count, shelf.heldBytes, scratch.sizeBytes], [0, 0, 0], "nothing is kept of them");
    });
  });

  test(`REC-13 fused parts that nobody asked for leave nothing behind, with ${maxBytes} bytes of memory`, () => {
    withParts(maxBytes, (parts, shelf, scratch) => {
      for (const number of [4, 3, 0]) parts.put(number, part(number, SIZES[number]));
      const [first] = parts;
      assert.deepEqual(first, part(0, SIZES[0]));
      parts.clear();
      assert.deepEqual([parts.count, shelf.heldBytes, scratch.sizeBytes], [0, 0, 0]);
    });
  });
}
