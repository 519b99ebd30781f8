export { concatPoints } from "./concat.ts";
export { type HeadCursor, indexCursor, type MergedNode, mergeHeads, packCursor } from "./head-cursor.ts";
export { decodeLayerIndex, encodeLayerIndex } from "./layer-index.ts";
export { layerView } from "./layer-view.ts";
export { NearPoints } from "./near.ts";
export {
  bitsOf,
  childOf,
  contains,
  cornerOf,
  edgeOf,
  FINEST_BITS,
  GRID,
  type LayerGrid,
  MAX_BITS,
  type NodeId,
  type NodeKey,
  nodeKey,
  octantOf,
  parentOf,
  parseNodeKey,
  spacingOf,
} from "./node.ts";
export { type Insertion, LEAF_CAP, Octree } from "./octree.ts";
export { decodePackHead, encodePack } from "./pack.ts";
export { type Box, planGrid, planGridFor } from "./plan-grid.ts";
export { type CloudPoints, type NodePoints, positionsOf } from "./points.ts";
export { decodeSegment } from "./segment/decode.ts";
export { encodeSegment } from "./segment/encode.ts";
export { MAX_SEGMENT_POINTS, readSegmentHead, type SegmentHead } from "./segment/head.ts";
export { type IndexNode, type LayerIndex, LayerTable, type PackHead, type Part, type TableNode } from "./table.ts";
export { layerFromModel, modelFromLayer, movePoints, viewInLayer } from "./transform.ts";
export { FINE_PX, type LayerView, nodesToShow, spacingPx } from "./view.ts";
