export type { BlobStore, StoredBlob } from "./blob/blob-store.ts";
export type { CursorItem, CursorOptions } from "./live/cursor.ts";
export type { SpaceLog } from "./log/space-log.ts";
