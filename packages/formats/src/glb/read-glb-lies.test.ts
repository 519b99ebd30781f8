/** Files that say what is not so are refused, and by one name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { craft, type Gltf, gridPoints, invalid, ONE_POINT, readAll } from "../test/glb.ts";
import { encodePointGlb } from "./encode-point-glb.ts";

/** True of the one point: its third byte is 0. */
const SPARSE = { count: 1, indices: { bufferView: 0, componentType: 5121 }, values: { bufferView: 0 } };

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
    "a sparse accessor without its places": ({ accessors }) => {
      accessors[0]!.sparse = { count: 1 };
    },
    "a sparse accessor of nothing": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, count: 0 };
    },
    "more sparse items than items": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, count: 2 };
    },
    "a sparse place beyond the items": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, indices: { bufferView: 0, byteOffset: 2, componentType: 5121 } };
    },
    "sparse places that are floats": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, indices: { bufferView: 0, componentType: 5126 } };
    },
    "sparse places between elements": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, indices: { bufferView: 0, byteOffset: 1, componentType: 5123 } };
    },
    "sparse places with a stride": ({ accessors, bufferViews }) => {
      bufferViews[0]!.byteStride = 12;
      accessors[0]!.sparse = SPARSE;
    },
    "sparse places beyond their view": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, indices: { bufferView: 0, byteOffset: 12, componentType: 5121 } };
    },
    "sparse values beyond their view": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, values: { bufferView: 0, byteOffset: 4 } };
    },
    "sparse values in a view that is not there": ({ accessors }) => {
      accessors[0]!.sparse = { ...SPARSE, values: { bufferView: 3 } };
    },
    "billions of points without bytes": ({ accessors }) => {
      accessors[0] = { componentType: 5126, type: "VEC3", count: 2 ** 32, sparse: SPARSE };
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

  test("TIL-4 a sparse accessor that lies upon nothing has 64 items for each byte of the binary chunk and no more", async () => {
    const nothing = (count: number) =>
      craft([ONE_POINT], ({ accessors }) => {
        accessors[0] = { componentType: 5126, type: "VEC3", count, sparse: SPARSE };
      });
    const most = 64 * ONE_POINT.data.byteLength;
    assert.equal((await readAll(nothing(most))).positions.length, 3 * most);
    await assert.rejects(readAll(nothing(most + 1)), invalid);
  });

  test("TIL-3 TIL-4 sparse indices are import.invalid, and the problem says so", async () => {
    const glb = craft([ONE_POINT], ({ accessors, meshes }) => {
      accessors.push({ bufferView: 0, byteOffset: 2, componentType: 5121, type: "SCALAR", count: 1, sparse: SPARSE });
      meshes[0]!.primitives[0]!.indices = 1;
    });
    await assert.rejects(readAll(glb), (error: unknown) => {
      assert.ok(invalid(error));
      return /indices are sparse/.test(JSON.stringify((error as { facts: object }).facts));
    });
  });

  for (const places of [
    [0, 2, 2],
    [2, 1, 3],
    [0, 1, 70_000],
    [65_536, 3, 69_999],
    [0, 65_536, 65_535],
  ]) {
    test(`TIL-4 sparse places ${places} of 70000 are import.invalid`, async () => {
      const glb = craft(
        [
          { ...ONE_POINT, data: new Float32Array(3 * 70_000) },
          { name: "_P", data: Uint32Array.from(places), componentType: 5125, type: "VEC1" },
        ],
        ({ accessors, meshes }) => {
          const indices = { bufferView: 1, componentType: 5125 };
          accessors[0]!.sparse = { count: 3, indices, values: { bufferView: 0 } };
          meshes[0]!.primitives[0]!.attributes = { POSITION: 0 };
        },
      );
      await assert.rejects(readAll(glb), invalid);
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
