/** What is asked of the thread in which one mesh is made: points in, one surface, a file out, in this order. */
import type { PointRun } from "@cairn/formats";
import type { Vec3 } from "@cairn/protocol";
import type { Report } from "@cairn/worker";

export type MeshFile = "glb" | "obj" | "stl" | "ply";

/** How the surface is wanted; all of it may be left out. */
export type MeshWish = {
  /** Cells this much finer than the distance between points asks for. */
  readonly detail?: number | undefined;
  /** Edge of a cell in model units, instead. */
  readonly voxel?: number | undefined;
  /** At most so many triangles, whatever that costs. */
  readonly faces?: number | undefined;
};

type MeshFacts = {
  readonly vertices: number;
  readonly faces: number;
  /** Edge of a cell, model units. */
  readonly voxel: number;
  /** Square model units. */
  readonly area: number;
  readonly watertight: boolean;
  /** Edges at which the surface ends. */
  readonly boundaryEdges: number;
};

export interface MeshJobs {
  /** @param min @param max box of all the points that will come @param cameras photo's number and where it was taken */
  begin(job: { min: Vec3; max: Vec3; cameras: readonly (readonly [number, Vec3])[] }): void;
  add(job: { run: PointRun }): void;
  /** @throws {CairnError} `mesh.no_surface`, `mesh.too_fine` */
  build(job: MeshWish, report: Report): MeshFacts;
  write(job: { file: MeshFile }): void;
  /** `undefined` at the end. @throws {CairnError} `export.too_large` */
  next(job: Record<string, never>, report: Report): Uint8Array | undefined;
}
