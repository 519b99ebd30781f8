/** One stone: a rounded box, split along a few planes as rock splits, then roughened. Pure shape; `paint.ts` colours it. */
import { type MeshBuilder, STONE, type Vec } from "./mesh.ts";
import { fractal, randomStream } from "./noise.ts";

export type StoneShape = {
  readonly centre: Vec;
  /** Half extents along the stone's own axes, metres. */
  readonly half: Vec;
  /** Turns about y, then x, then z, radians. */
  readonly turn: Vec;
  /** 2 is an ellipsoid, 12 nearly a box. */
  readonly squareness: number;
  /** How many planes cut it. */
  readonly cuts: number;
  /** Height of the roughness, as a part of the smallest half extent. */
  readonly roughness: number;
  /** Squares along an edge of the cube that it is pressed from. */
  readonly grid: number;
  /** The top is this much wider than the bottom, as a part of the width (arch stones). */
  readonly taper?: number;
};

/** Row-major rotation. */
export function rotation([ay, ax, az]: Vec): number[] {
  const [cy, sy, cx, sx, cz, sz] = [Math.cos(ay), Math.sin(ay), Math.cos(ax), Math.sin(ax), Math.cos(az), Math.sin(az)];
  return [
    cz * cy + sz * sx * sy,
    -sz * cx,
    -cz * sy + sz * sx * cy,
    sz * cy - cz * sx * sy,
    cz * cx,
    -sz * sy - cz * sx * cy,
    cx * sy,
    sx,
    cx * cy,
  ];
}

export function addStone(mesh: MeshBuilder, shape: StoneShape, thing: number): void {
  const { half, grid, squareness, centre } = shape;
  const random = randomStream(thing * 7919 + 13);
  const turn = rotation(shape.turn);
  const planes = Array.from({ length: shape.cuts }, () => {
    const z = random() * 2 - 1;
    const angle = random() * Math.PI * 2;
    const r = Math.sqrt(1 - z * z);
    return [r * Math.cos(angle), z, r * Math.sin(angle), 0.62 + random() * 0.3];
  });
  const reach = Math.min(half[0], half[1], half[2]);
  const offset = random() * 200;

  const vertices = new Map<number, number>();
  const vertexAt = (i: number, j: number, k: number): number => {
    const key = (i * (grid + 1) + j) * (grid + 1) + k;
    const known = vertices.get(key);
    if (known !== undefined) return known;
    // tan() spreads the lattice evenly over the sphere's directions.
    const cx = Math.tan(((i / grid) * 2 - 1) * (Math.PI / 4));
    const cy = Math.tan(((j / grid) * 2 - 1) * (Math.PI / 4));
    const cz = Math.tan(((k / grid) * 2 - 1) * (Math.PI / 4));
    const norm =
      (Math.abs(cx) ** squareness + Math.abs(cy) ** squareness + Math.abs(cz) ** squareness) ** (1 / squareness);
    let x = cx / norm;
    let y = cy / norm;
    let z = cz / norm;
    const length = Math.hypot(x, y, z);
    for (const [nx, ny, nz, depth] of planes) {
      const over = nx * x + ny * y + nz * z - depth * (squareness > 4 ? 1.45 : 1);
      if (over <= 0) continue;
      x -= nx * over * 0.92;
      y -= ny * over * 0.92;
      z -= nz * over * 0.92;
    }
    if (shape.taper) x *= 1 + shape.taper * y;
    x *= half[0];
    y *= half[1];
    z *= half[2];
    const f = 1.1 / reach;
    const rough = fractal(x * f + offset, y * f + offset, z * f - offset, grid > 8 ? 5 : 3, 0.52);
    const push = (1 + (rough * shape.roughness * reach) / (length * reach + 1e-9)) as number;
    x *= push;
    y *= push;
    z *= push;
    const made = mesh.vertex(
      centre[0] + turn[0] * x + turn[1] * y + turn[2] * z,
      centre[1] + turn[3] * x + turn[4] * y + turn[5] * z,
      centre[2] + turn[6] * x + turn[7] * y + turn[8] * z,
    );
    vertices.set(key, made);
    return made;
  };

  for (let face = 0; face < 6; face++) {
    const axis = face >> 1;
    const side = face & 1 ? grid : 0;
    for (let a = 0; a < grid; a++) {
      for (let b = 0; b < grid; b++) {
        const corner = (p: number, q: number): number => {
          const lattice = [0, 0, 0];
          lattice[axis] = side;
          lattice[(axis + 1) % 3] = p;
          lattice[(axis + 2) % 3] = q;
          return vertexAt(lattice[0], lattice[1], lattice[2]);
        };
        const [v0, v1, v2, v3] = [corner(a, b), corner(a + 1, b), corner(a + 1, b + 1), corner(a, b + 1)];
        if (side) {
          mesh.triangle(v0, v1, v2, STONE, thing);
          mesh.triangle(v0, v2, v3, STONE, thing);
        } else {
          mesh.triangle(v0, v2, v1, STONE, thing);
          mesh.triangle(v0, v3, v2, STONE, thing);
        }
      }
    }
  }
}
