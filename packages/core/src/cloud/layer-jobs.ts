/** What is done with points off the event loop. Trees live in the worker, under a number that is used once. */
import type { CloudPoints, LayerGrid, LayerIndex } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";
import type { Report } from "@cairn/worker";

export interface LayerJobs {
  /** A tree without points. */
  plant(job: { tree: number; grid: LayerGrid }): void;
  /** Marks what is out already. */
  restore(job: { tree: number; segments: readonly Uint8Array[] }, report: Report): void;
  insert(job: { tree: number; points: CloudPoints }, report: Report): Inserted | LostTree;
  fell(job: { tree: number }): void;
  /** Of each node its parts, in order; one segment each comes back. */
  merge(job: PartsOfNodes, report: Report): Merged;
  encodeIndex(job: { index: LayerIndex }, report: Report): Uint8Array;
}

/** One buffer, for moving thousands of small ones costs more than what is done with them. */
export type PartsOfNodes = {
  /** One part after the other. */
  readonly bytes: Uint8Array;
  /** Of each node the sizes of its parts. */
  readonly sizes: readonly (readonly number[])[];
};

type Merged = {
  readonly bytes: Uint8Array;
  readonly segments: readonly { readonly sizeBytes: number; readonly hash: string }[];
};

export type Inserted = {
  /** Left out: no point was kept. */
  readonly pack?: InsertedPack;
  readonly merged: number;
  /** No numbers, or beyond what the grid reaches. */
  readonly refused: number;
  /** Those of the refused that have finite coordinates. */
  readonly outOfReach: number;
};

/** The tree went with another worker. The points, which may have been moved here, are given back. */
export type LostTree = { readonly lost: CloudPoints };

type InsertedPack = {
  readonly bytes: Uint8Array;
  readonly headBytes: number;
  readonly points: number;
  readonly segments: number;
  readonly merged: number;
  readonly min: Vec3;
  readonly max: Vec3;
};
