/** What is done with tiles off the event loop. */
import type { Vec3 } from "@cairn/protocol";
import type { Report } from "@cairn/worker";

export interface TileJobs {
  /**
   * All points of one node as GLB.
   * @param job `segments` in their order; the node's lowest corner in the frame of the tiles, and its edge
   */
  encode(job: TileJob, report: Report): Promise<Uint8Array>;
}

type TileJob = { readonly segments: readonly Uint8Array[]; readonly corner: Vec3; readonly edge: number };
