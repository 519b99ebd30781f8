/** Files that say what is not so are refused, and by one name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { craft, type Gltf, gridPoints, invalid, ONE_POINT, readAll } from "../test/glb.ts";
import { encodePointGlb } from "./encode-point-glb.ts";

describe("GLB files that lie", () => {
  const lies: Record<string, (gltf: Gltf) => void> = {
    "a count beyond the buffer": ({ accessors }) => {
      accessors[0]!.count = 4e9;
    },
    "a count that is none": ({ accessors }) => {
      accessors[0]!.count = -1;
    },
    "a fractional count": ({ accessors }) => {
      accessors[0]!.count = 1.5;
    },
    "an offset beyond the view": ({ accessors }) => {
      accessors[0]!.byteOffset = 8;
    },
    "a view beyond the buffer": ({ bufferViews }) => {
      bufferViews[0]!.byteLength = 1e9;
    },
    "a buffer that says too much": ({ buffers, bufferViews }) => {
      buffers[0]!.byteLength = 2 ** 40;
      bufferViews[0]!.byteLength = 2 ** 40;
    },
    "a stride below its item": ({ bufferViews }) => {
      bufferViews[0]!.byteStride = 4;
    },
    "an offset between elements": ({ accessors, bufferViews }) => {
      accessors[0]!.byteOffset = 2;
      bufferViews[0]!.byteLength = 14;
    },
    "an accessor that is not there": ({ meshes }) => {
      meshes[0]!.primitives[0]!.attributes = { POSITION: 7 };
    },
    "no POSITION": ({ meshes }) => {
      meshes[0]!.primitives[0]!.attributes = {};
    },
    "a sparse accessor": ({ accessors }) => {
      accessors[0]!.sparse = { count: 1 };
    },
    "an index beyond the points": ({ accessors, meshes }) => {
      accessors.push({ bufferView: 0, componentType: 5123, type: "SCALAR", count: 4 });
      meshes[0]!.primitives[0]!.indices = 1;
    },
    "more indices than their view has": ({ accessors, meshes }) => {
      accessors.push({ bufferView: 0, componentType: 5121, type: "SCALAR", count: 2 ** 40 });
      meshes[0]!.primitives[0]!.indices = 1;
    },
    "indices that are floats": ({ accessors, meshes }) => {
      accessors.push({ bufferView: 0, componentType: 5126, type: "SCALAR", count: 1 });
      meshes[0]!.primitives[0]!.indices = 1;
    },
    "an accessor without data": ({ accessors }) => {
      delete accessors[0]!.bufferView;
    },
    "an external buffer": ({ buffers }) => {
      buffers[0]!.uri = "file:///etc/passwd";
    },
    "a cycle of nodes": (gltf) => {
      gltf.nodes = [{ children: [1] }, { mesh: 0, children: [0] }];
    },
    "a node with two parents": (gltf) => {
      gltf.nodes = [{ children: [1, 1] }, { mesh: 0 }];
    },
    "a node that is not there": ({ scenes }) => {
      scenes[0]!.nodes = [9];
    },
    "an infinite transform": (gltf) => {
      gltf.nodes = [
        { scale: [1e308, 1, 1], children: [1] },
        { scale: [1e308, 1, 1], mesh: 0 },
      ];
    },
    "a transform that is no number": ({ nodes }) => {
      nodes[0]!.scale = [1, "1", null];
    },
    "a matrix of 15": ({ nodes }) => {
      nodes[0]!.matrix = new Array(15).fill(0);
    },
    "an unknown extension": (gltf) => {
      gltf.extensionsRequired = ["KHR_draco_mesh_compression"];
    },
    "more points than anything could hold": (gltf) => {
      gltf.accessors[0]!.count = 1;
      gltf.scenes[0]!.nodes = Array.from({ length: 70_000 }, (_, i) => i);
      gltf.nodes = Array.from({ length: 70_000 }, () => ({ mesh: 0 }));
      gltf.accessors[0] = { bufferView: 0, componentType: 5121, type: "VEC3", count: 70_000 };
      gltf.bufferViews[0] = {
        buffer: 0,
        byteLength: 12,
        byteStride: 4,
        extensions: {
          EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 4, count: 3000, mode: "ATTRIBUTES" },
        },
      };
      gltf.accessors[0].count = 3000;
      gltf.meshes[0]!.primitives = Array.from({ length: 30 }, () => ({ mode: 0, attributes: { POSITION: 0 } }));
    },
    "triangles only": ({ meshes }) => {
      meshes[0]!.primitives[0]!.mode = 4;
    },
    "a meshopt view that says too much": ({ bufferViews }) => {
      bufferViews[0]!.extensions = {
        EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 12, count: 2 ** 31, mode: "ATTRIBUTES" },
      };
    },
    "a damaged meshopt view": ({ bufferViews }) => {
      bufferViews[0]!.extensions = {
        EXT_meshopt_compression: { buffer: 0, byteLength: 12, byteStride: 12, count: 1, mode: "ATTRIBUTES" },
      };
    },
  };
  for (const [lie, change] of Object.entries(lies)) {
    test(`TIL-4 ${lie} is import.invalid`, async () => {
      await assert.rejects(readAll(craft([ONE_POINT], change)), invalid);
    });
  }

  test("TIL-4 no bytes whatever make it fail otherwise, and a cut file is refused", async () => {
    const good = craft([ONE_POINT]);
    for (let end = 0; end < good.length; end++) await assert.rejects(readAll(good.slice(0, end)), invalid);
    const tile = await encodePointGlb(gridPoints(50, 12));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(tile.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const bytes = tile.slice();
          for (const [at, value] of changes) bytes[at] = value;
          await readAll(bytes).catch((error: unknown) => assert.ok(invalid(error), String(error)));
        },
      ),
      { numRuns: 400, seed: 3 },
    );
  });
});
