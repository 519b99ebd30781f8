/** What every export is handed. Each is an async generator of bytes: it reads as fast as it is read. */
import type { Intrinsics } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { LayerTables } from "../cloud/layer-tables.ts";
import type { MeshWish } from "../mesh/mesh-jobs.ts";
import type { OperationResult } from "../operation/operations.ts";
import type { Space } from "../space/spaces.ts";
import type { TileEncoder } from "../tiles/tile-encoder.ts";

export type ExportOptions = {
  readonly space: Space;
  readonly blobs: BlobStore;
  readonly tables: LayerTables;
  /** A photo as a JPEG without distortion, as `undistortedIntrinsics` of its camera sees it. */
  readonly undistort: (photo: Uint8Array, camera: Intrinsics, signal?: AbortSignal) => Promise<Uint8Array>;
  /** Where files wait that are made faster than they are read; left out: the system's folder for such. */
  readonly scratchDir?: string | undefined;
  /** Makes the tiles; left out: one whose thread ends with the export. */
  readonly tileEncoder?: TileEncoder | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only this shown layer; left out: all of them. Formats that are about cameras do not ask. */
  readonly layer?: number | undefined;
  /** For formats that are a surface. */
  readonly mesh?: MeshWish | undefined;
  /** Told before the first byte what more there is to say of the file, by formats that have something. */
  readonly onFacts?: ((facts: OperationResult) => void) | undefined;
  /** Told before the first byte how many there will be, by formats that know. */
  readonly onSize?: ((sizeBytes: number) => void) | undefined;
  /** `done` of `total`: points, photos or bytes, as the stage says. */
  readonly onProgress?: ((stage: string, done: number, total: number) => void) | undefined;
};
