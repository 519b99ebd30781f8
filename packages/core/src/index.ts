export type { BlobStore, StoredBlob } from "./blob/blob-store.ts";
export { type BlobStoreOptions, openFileBlobStore } from "./blob/file-blob-store.ts";
export type { Channels, Signal } from "./channel/channels.ts";
export { createChannels } from "./channel/channels.ts";
export { Budget } from "./clock/budget.ts";
export type { ClockLink, DeviceClocks } from "./clock/device-clocks.ts";
export { type ClockOptions, type ClockStatus, ServerClock, TIME_SERVERS } from "./clock/server-clock.ts";
export { type Import, type ImportOptions, importPoints } from "./cloud/import-points.ts";
export { LayerTables, type RangeSource, readPart } from "./cloud/layer-tables.ts";
export type { LayerStart, LayerWriter } from "./cloud/layer-writer.ts";
export type { Layers } from "./cloud/layers.ts";
export { problemOfMembers } from "./control/command-rules.ts";
export type { DeviceLink } from "./control/controlled-device.ts";
export type { Controls } from "./control/controls.ts";
export type { DeviceSession, SentCommand, SpaceControl } from "./control/space-control.ts";
export { type Core, type CoreOptions, openCore } from "./core.ts";
export { type DesignName, type Designs, type IncomingDesign, openDesigns } from "./design/designs.ts";
export { exportKind, startExport } from "./export/export-operation.ts";
export type { ExportOptions } from "./export/export-options.ts";
export { EXPORT_FORMATS, type ExportFormat, exportFormat, exportName } from "./export/formats.ts";
export { openShownPoints, type ShownPoints } from "./export/shown-points.ts";
export { type ZipEntry, zipped } from "./export/zip.ts";
export type { FileUploads, UploadProgress } from "./file/file-uploads.ts";
export type { StoredFile } from "./file/stored-files.ts";
export { bytesOfPiece } from "./file/text-halves.ts";
export { placeAnchor, removeAnchor } from "./generation/anchors.ts";
export { type OldGeneration, readGeneration } from "./generation/history.ts";
export { restoreGeneration } from "./generation/restore.ts";
export { type BulkEdit, type Edits, openEdits } from "./image/bulk-edits.ts";
export { changeImage, type Editing, removeImage, replaceImage, showVersion, undoImage } from "./image/versions.ts";
export { type Imports, type IncomingPoints, openImports, type PointsFacts } from "./import/imports.ts";
export { type IncomingPhoto, ingestImage } from "./ingest/ingest-image.ts";
export type { KeyframeStats } from "./keyframe/keyframe-stats.ts";
export { type Keyframes, type KeyframesOptions, type KeyframeTotals, startKeyframes } from "./keyframe/keyframes.ts";
export type { PictureKeyframes, StreamPicture } from "./keyframe/picture-keyframes.ts";
export type { PoseSignal } from "./keyframe/stream-poses.ts";
export { type CursorItem, type CursorOptions, conflate, runCursor, supersededKey } from "./live/cursor.ts";
export type { SpaceLogOptions } from "./log/file-space-log.ts";
export { openSpaceLog } from "./log/open-space-log.ts";
export type { SpaceLog } from "./log/space-log.ts";
export type { MeshWish } from "./mesh/mesh-jobs.ts";
export { FLUSH_EVERY_MS, type MotionCounts, type MotionListener, MotionSources } from "./motion/motion-sources.ts";
export type { OperationResult, Operations, Outcome, Running } from "./operation/operations.ts";
export {
  type Decode,
  type EngineOptions,
  type Reconstructor,
  type ReconstructorOptions,
  startReconstructor,
} from "./reconstruct/reconstructor.ts";
export type { RecordingProgress } from "./recording/recorder.ts";
export { RECORDING_LIMITS, type Recordings, type RecordingWish } from "./recording/recordings.ts";
export { readReport } from "./report/space-report.ts";
export { checkQuota } from "./space/quota.ts";
export { SpaceBlobs } from "./space/space-blobs.ts";
export type { NewSpace, Space, Spaces } from "./space/spaces.ts";
export { openTileEncoder, type TileEncoder, type TileSource } from "./tiles/tile-encoder.ts";
export { partsOf, revisionOf } from "./tiles/tile-revision.ts";
export type { Tile } from "./tiles/tile-tree.ts";
export { branchTileset, openTiledLayers, rootTileset, type TiledLayer, type Tileset } from "./tiles/tileset.ts";
export { type IncomingPacket, type PacketKind, StreamPacket } from "./video/stream-packet.ts";
export type { ConsumerStats, VideoSink } from "./video/video-consumer.ts";
export type { SourceStats, VideoSource } from "./video/video-source.ts";
export {
  DEFAULT_SOURCE,
  isSourceName,
  type Producer,
  type ProducerOptions,
  VideoSources,
} from "./video/video-sources.ts";
