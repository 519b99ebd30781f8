/** What is done with points off the event loop. Trees live in the worker, under a number that is used once. */
import type { CloudPoints, LayerGrid, LayerIndex } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";
import type { Report } from "@cairn/worker";

export interface LayerJobs {
  /** A tree without points. */
  plant(job: { tree: number; grid: LayerGrid }): void;
  /** Marks what is out already. */
  restore(job: { tree: number; segments: readonly Uint8Array[] }, report: Report): void;
  /** @throws {CairnError} `engine.failed` when the tree was lost with its worker */
  insert(job: { tree: number; points: CloudPoints }, report: Report): Inserted;
  fell(job: { tree: number }): void;
  /** Of each node its parts, in order; one segment each comes back. */
  merge(job: { nodes: readonly (readonly Uint8Array[])[] }, report: Report): { bytes: Uint8Array; hash: string }[];
  encodeIndex(job: { index: LayerIndex }, report: Report): Uint8Array;
}

export type Inserted = {
  /** Left out: no point was kept. */
  readonly pack?: InsertedPack;
  readonly merged: number;
  /** No numbers, or beyond what the grid reaches. */
  readonly refused: number;
};

export type InsertedPack = {
  readonly bytes: Uint8Array;
  readonly headBytes: number;
  readonly points: number;
  readonly segments: number;
  readonly merged: number;
  readonly min: Vec3;
  readonly max: Vec3;
};
