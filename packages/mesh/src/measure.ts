/** What can be said of a mesh, and whether it is one: the checker that ships with the algorithm. */
import { forEachEdge, halfEdges } from "./edges.ts";
import type { Mesh } from "./mesh.ts";

export type Measures = {
  readonly vertices: number;
  readonly triangles: number;
  /** In the square of the mesh's unit. */
  readonly area: number;
  /** Enclosed, when nothing is open; positive when triangles face outwards. */
  readonly volume: number;
  /** With one triangle. 0: watertight. */
  readonly boundaryEdges: number;
  /** With more than two triangles, or with two that run along it the same way: 0 in every mesh made here. */
  readonly brokenEdges: number;
  /** V − E + F: 2 for each closed piece without handles. */
  readonly euler: number;
};

export function measure({ positions, triangles }: Mesh): Measures {
  const vertices = positions.length / 3;
  let edges = 0;
  let boundaryEdges = 0;
  let brokenEdges = 0;
  forEachEdge(triangles, halfEdges(triangles, vertices), (halves, count) => {
    edges++;
    if (count === 1) boundaryEdges++;
    else if (count > 2 || triangles[halves[0]] === triangles[halves[1]]) brokenEdges++;
  });
  let area = 0;
  let volume = 0;
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const [ax, ay, az] = [positions[a], positions[a + 1], positions[a + 2]];
    const [ux, uy, uz] = [positions[b] - ax, positions[b + 1] - ay, positions[b + 2] - az];
    const [vx, vy, vz] = [positions[c] - ax, positions[c + 1] - ay, positions[c + 2] - az];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    area += Math.hypot(x, y, z) / 2;
    volume += (ax * x + ay * y + az * z) / 6;
  }
  const count = triangles.length / 3;
  return { vertices, triangles: count, area, volume, boundaryEdges, brokenEdges, euler: vertices - edges + count };
}

/** `[vertices, 3]` unit vectors × 127 as glTF takes them: the triangles' normals, by their area. */
export function vertexNormals({ positions, triangles }: Mesh): Int8Array {
  const sums = new Float32Array(positions.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const [ax, ay, az] = [positions[a], positions[a + 1], positions[a + 2]];
    const [ux, uy, uz] = [positions[b] - ax, positions[b + 1] - ay, positions[b + 2] - az];
    const [vx, vy, vz] = [positions[c] - ax, positions[c + 1] - ay, positions[c + 2] - az];
    const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (let axis = 0; axis < 3; axis++) {
      sums[a + axis] += normal[axis];
      sums[b + axis] += normal[axis];
      sums[c + axis] += normal[axis];
    }
  }
  const normals = new Int8Array(positions.length);
  for (let i = 0; i < sums.length; i += 3) {
    const length = Math.hypot(sums[i], sums[i + 1], sums[i + 2]);
    if (!(length > 0)) {
      normals[i + 2] = 127;
      continue;
    }
    for (let axis = 0; axis < 3; axis++) normals[i + axis] = Math.round((127 * sums[i + axis]) / length);
  }
  return normals;
}
