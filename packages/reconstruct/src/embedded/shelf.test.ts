import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";

function withScratch(use: (scratch: Scratch, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "cairn-shelf-"));
  const scratch = new Scratch(join(folder, "made"));
  try {
    use(scratch, folder);
  } finally {
    scratch.close();
    rmSync(folder, { recursive: true });
  }
}

test("what was put is found again, within the bound; disk that is given back is used again", () => {
  const step = fc.record({ key: fc.nat(8), sizeBytes: fc.integer({ min: 1, max: 400 }), drop: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      withScratch((scratch) => {
        const bound = 500;
        const shelf = new Shelf(scratch, bound);
        const truth = new Map<string, Uint8Array>();
        for (const [at, { key: number, sizeBytes, drop }] of steps.entries()) {
          const key = String(number);
          if (drop) {
            shelf.drop(key);
            truth.delete(key);
          } else {
            const bytes = new Uint8Array(sizeBytes).fill(at + 1);
            shelf.put(key, bytes);
            truth.set(key, bytes.slice());
          }
          assert.ok(shelf.heldBytes <= bound, `${shelf.heldBytes} bytes`);
        }
        for (const [key, bytes] of truth) assert.deepEqual(shelf.get(key), bytes);
        const all = [...truth.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
        for (const key of truth.keys()) shelf.drop(key);
        assert.equal(shelf.heldBytes, 0);
        assert.equal(scratch.sizeBytes, 0, `${all} bytes were there`);
      });
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("the scratch file has no name: nothing is left of it, however the process ends", () => {
  withScratch((scratch, folder) => {
    const extent = scratch.write(Uint8Array.of(1, 2, 3));
    const back = new Uint8Array(3);
    scratch.read(extent, back);
    assert.deepEqual(back, Uint8Array.of(1, 2, 3));
    assert.deepEqual(readdirSync(join(folder, "made")), []);
    assert.throws(() => scratch.read(extent, new Uint8Array(4)), RangeError);
  });
});
