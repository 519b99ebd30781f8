/** Meshes as files that others read. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import gltfValidator from "gltf-validator";
import { type BufferAttribute, type BufferGeometry, type Material, type Mesh, type Object3D, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { OBJLoader } from "three/examples/jsm/loaders/OBJLoader.js";
import { PLYLoader } from "three/examples/jsm/loaders/PLYLoader.js";
import { STLLoader } from "three/examples/jsm/loaders/STLLoader.js";
import { meshGlb, meshObj, meshPly, meshStl, type TriangleMesh } from "../mesh-entry.ts";

function joined(pieces: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([...pieces]));
}

/** A sheet of hills, `side` × `side` squares of a tenth, in more than one piece of every file. */
function hills(side: number, origin: readonly [number, number, number] = [0, 0, 0]): TriangleMesh {
  const row = side + 1;
  const count = row * row;
  const positions = new Float32Array(3 * count);
  const normals = new Int8Array(3 * count);
  const colors = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    const [x, y] = [(i % row) / 10, Math.floor(i / row) / 10];
    const slope = [-Math.cos(x), -Math.cos(y), 1];
    positions.set([x, y, Math.sin(x) + Math.sin(y)], 3 * i);
    normals.set(
      slope.map((value) => Math.round((127 * value) / Math.hypot(...slope))),
      3 * i,
    );
    colors.set([i % 256, (i * 7) % 256, 40], 3 * i);
  }
  const triangles: number[] = [];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const a = y * row + x;
      triangles.push(a, a + 1, a + row + 1, a, a + row + 1, a + row);
    }
  }
  return {
    origin: [origin[0], origin[1], origin[2]],
    positions,
    normals,
    colors,
    triangles: Uint32Array.from(triangles),
    step: 0.01,
  };
}

const MESH = hills(200, [3, -4, 5]);
const VERTICES = MESH.positions.length / 3;

/** Coordinates of the mesh's vertex as the file has them. */
function placeOf(mesh: TriangleMesh, vertex: number): [number, number, number] {
  const at = (axis: number) => mesh.positions[3 * vertex + axis]! + mesh.origin[axis]!;
  return [at(0), at(1), at(2)];
}

function near(actual: ArrayLike<number>, wanted: readonly number[], within: number): void {
  wanted.forEach((value, i) => {
    assert.ok(Math.abs(actual[i]! - value) <= within, `${Array.from(actual).join()} for ${wanted.join()}`);
  });
}

function values(geometry: BufferGeometry, name: string): BufferAttribute {
  return geometry.getAttribute(name) as BufferAttribute;
}

function meshIn(scene: Object3D): Mesh {
  const found: Mesh[] = [];
  scene.traverse((object) => {
    if ("isMesh" in object) found.push(object as Mesh);
  });
  assert.equal(found.length, 1);
  return found[0]!;
}

function linearOf(srgb: number): number {
  const value = srgb / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

describe("meshes as files", () => {
  test("EXC-25 GLB: the validator finds nothing; three reads places with Y up, normals, colours, triangles", async () => {
    const bytes = joined(meshGlb(MESH));
    const { issues } = await gltfValidator.validateBytes(bytes, { maxIssues: 50 });
    assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages.slice(0, 5)));
    const { scene } = await new GLTFLoader().parseAsync(bytes.buffer, "");
    scene.updateMatrixWorld(true);
    const mesh = meshIn(scene);
    assert.deepEqual(mesh.geometry.index?.array, MESH.triangles);
    assert.equal((mesh.material as Material).side, 2, "both sides are drawn");
    for (let v = 0; v < VERTICES; v += 97) {
      const world = new Vector3()
        .fromBufferAttribute(values(mesh.geometry, "position"), v)
        .applyMatrix4(mesh.matrixWorld);
      near([world.x, -world.z, world.y], placeOf(MESH, v), 1e-5);
      const normal = new Vector3().fromBufferAttribute(values(mesh.geometry, "normal"), v);
      near(
        [normal.x, -normal.z, normal.y],
        Array.from(MESH.normals.subarray(3 * v, 3 * v + 3), (value) => value / 127),
        0.02,
      );
      near(
        new Vector3().fromBufferAttribute(values(mesh.geometry, "color"), v).toArray(),
        Array.from(MESH.colors.subarray(3 * v, 3 * v + 3), linearOf),
        1.01 / 255,
      );
    }
  });

  test("EXC-25 OBJ: three reads every triangle where it is, with the colours behind the coordinates", () => {
    const text = new TextDecoder().decode(joined(meshObj(MESH)));
    assert.match(text, /^v 3\.000\d* -4\.000\d* 5\.000\d* 0 0 0\.1569$/m);
    const { geometry } = meshIn(new OBJLoader().parse(text));
    assertCorners(geometry, MESH, 1e-4);
    const colors = values(geometry, "color");
    for (let corner = 0; corner < MESH.triangles.length; corner += 101) {
      const v = MESH.triangles[corner]!;
      near(
        new Vector3().fromBufferAttribute(colors, corner).toArray(),
        Array.from(MESH.colors.subarray(3 * v, 3 * v + 3), linearOf),
        2e-3,
      );
    }
  });

  test("EXC-25 STL: three reads every triangle where it is, facing outwards", () => {
    const geometry = new STLLoader().parse(joined(meshStl(MESH)).buffer);
    assertCorners(geometry, MESH, 1e-5);
    for (let corner = 0; corner < MESH.triangles.length; corner += 101) {
      assert.ok(values(geometry, "normal").getZ(corner) > 0);
    }
  });

  test("EXC-25 PLY: three reads vertices, normals, colours and triangles", () => {
    const geometry = new PLYLoader().parse(joined(meshPly(MESH)).buffer);
    assert.deepEqual(Array.from(geometry.index!.array), Array.from(MESH.triangles));
    for (let v = 0; v < VERTICES; v += 97) {
      near(new Vector3().fromBufferAttribute(values(geometry, "position"), v).toArray(), placeOf(MESH, v), 1e-5);
      near(
        new Vector3().fromBufferAttribute(values(geometry, "color"), v).toArray(),
        Array.from(MESH.colors.subarray(3 * v, 3 * v + 3), linearOf),
        1.01 / 255,
      );
    }
  });

  test("EXC-25 far from the origin nothing is lost: doubles, decimals, a node's place, whole numbers in STL's header", async () => {
    const far = hills(20, [600_000.25, 6_000_000.5, 100.125]);
    const text = Buffer.from(joined(meshObj(far))).toString();
    const [, x, y] = text.match(/^v (\S+) (\S+) /m)!;
    near([Number(x), Number(y)], [600_000.25, 6_000_000.5], 1e-4);
    const ply = Buffer.from(joined(meshPly(far)));
    assert.match(ply.subarray(0, 300).toString("latin1"), /property double x/);
    near([ply.readDoubleLE(ply.indexOf("end_header\n") + 11)], [600_000.25], 1e-4);
    const { scene } = await new GLTFLoader().parseAsync(joined(meshGlb(far)).buffer, "");
    near(meshIn(scene).position.toArray(), [600_000.25, 100.125, -6_000_000.5], 1e-9);
    const stl = joined(meshStl(far));
    const header = Buffer.from(stl).subarray(0, 80).toString("latin1").replace(/\0+$/, "");
    assert.equal(header, "Cairn, coordinates from 600000 6000001 100");
    const corner = values(new STLLoader().parse(stl.buffer), "position");
    near([corner.getX(0), corner.getY(0), corner.getZ(0)], [0.25, -0.5, 0.125], 1e-6);
  });
});

/** Of a geometry whose triangles share nothing. */
function assertCorners(geometry: BufferGeometry, mesh: TriangleMesh, within: number): void {
  const positions = values(geometry, "position");
  assert.equal(positions.count, mesh.triangles.length);
  for (let corner = 0; corner < mesh.triangles.length; corner += 101) {
    const vertex = new Vector3().fromBufferAttribute(positions, corner);
    near(vertex.toArray(), placeOf(mesh, mesh.triangles[corner]!), within);
  }
}
