/** The thread in which layers are written: octrees, segments, packs. */
import { concatPoints, decodeSegment, encodeLayerIndex, encodePack, encodeSegment, Octree } from "@cairn/cloud";
import { deflate, hashOf } from "@cairn/cloud/node";
import { serve } from "@cairn/worker";
import { buffersOfPoints } from "./buffers.ts";
import type { LayerJobs } from "./layer-jobs.ts";

const trees = new Map<number, Octree>();

serve<LayerJobs>({
  plant({ tree, grid }) {
    trees.set(tree, new Octree(grid));
  },

  restore({ tree, segments }) {
    const octree = trees.get(tree);
    for (const segment of segments) octree?.restore(decodeSegment(segment));
  },

  insert({ tree, points }, report) {
    const octree = trees.get(tree);
    if (!octree) {
      report.move(...buffersOfPoints(points));
      return { lost: points };
    }
    const { root, segments, kept, merged, refused, outOfReach, min, max } = octree.insert(points);
    if (kept === 0) return { merged, refused, outOfReach };
    const encoded = segments.map((segment) => encodeSegment(segment));
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    report.move(bytes.buffer as ArrayBuffer); // made for this pack
    const pack = { bytes, headBytes, points: kept, segments: segments.length, merged, min, max };
    return { pack, merged, refused, outOfReach };
  },

  fell({ tree }) {
    trees.delete(tree);
  },

  merge({ bytes, sizes }, report) {
    let at = 0;
    const made = sizes.map((ofNode) => {
      const parts = ofNode.map((sizeBytes) => {
        at += sizeBytes;
        return decodeSegment(bytes.subarray(at - sizeBytes, at));
      });
      return encodeSegment(concatPoints(parts), { thorough: true });
    });
    const all = new Uint8Array(made.reduce((sum, { length }) => sum + length, 0));
    let end = 0;
    for (const segment of made) {
      all.set(segment, end);
      end += segment.length;
    }
    report.move(all.buffer);
    return { bytes: all, segments: made.map((segment) => ({ sizeBytes: segment.length, hash: hashOf(segment) })) };
  },

  encodeIndex: ({ index }) => encodeLayerIndex(index, deflate),
});
