/** How much a thorough rebuild looks at from the side. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import type { SlantSide } from "../features/slant-matches.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";
import { SlantedLooks } from "./slanted-looks.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** Of places that have nothing in common. */
function strangers(photos: number): Shot[] {
  return Array.from({ length: photos }, (_, place) => ({ ...arc(4)[place % 4], place }));
}

/** An engine that sees nothing more from the side, and has been given all photos. */
async function engineOf(shots: readonly Shot[]) {
  const { photos, kernels } = syntheticPhotos(shots, { told: true });
  const photoOf = new Map<SlantSide["features"], number>();
  const looks: string[] = [];
  const nothing = new Float32Array(0);
  const slants = {
    ...{ count: 0, x: nothing, y: nothing, scale: nothing },
    ...{ descriptors: new Uint8Array(0), first: new Uint32Array(1) },
  };
  const nameOf = ({ features }: SlantSide) => {
    if (!photoOf.has(features)) photoOf.set(features, photoOf.size);
    return photoOf.get(features);
  };
  const looking = {
    grey: async () => ({ grey: new Uint8Array(4), widthPx: 2, heightPx: 2 }),
    slants: async () => slants,
    matchAslant: async (a: SlantSide, b: SlantSide) => {
      looks.push(`${nameOf(a)}-${nameOf(b)}`);
      return new Uint32Array(0);
    },
  };
  const shelf = new Shelf(new Scratch(tmpdir()));
  const core = new EngineCore(kernels, 1, { slants: new SlantedLooks(looking, shelf) });
  for (const photo of photos) await core.add(photo, undefined, FREE);
  return { core, looks };
}

test("a thorough rebuild looks at no more than 24 pairs from the side and leaves the others to the next", async () => {
  const { core, looks } = await engineOf(strangers(14));
  const counts: number[] = [];
  do {
    const before = looks.length;
    const { thorough = false } = await core.rebuild(FREE, { thorough: true });
    counts.push(looks.length - before);
    assert.equal(thorough, looks.length > before);
  } while (counts.at(-1));
  assert.deepEqual(counts, [24, 24, 24, 4, 0]);
  assert.equal(new Set(looks).size, looks.length, "none twice");
});
