/** What every export is handed. Each is an async generator of bytes: it reads as fast as it is read. */
import type { BlobStore } from "../blob/blob-store.ts";
import type { LayerTables } from "../cloud/layer-tables.ts";
import type { Space } from "../space/spaces.ts";

export type ExportOptions = {
  readonly space: Space;
  readonly blobs: BlobStore;
  readonly tables: LayerTables;
  readonly signal?: AbortSignal | undefined;
  /** `done` of `total`: points, photos or bytes, as the stage says. */
  readonly onProgress?: ((stage: string, done: number, total: number) => void) | undefined;
};
