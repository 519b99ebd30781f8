export {
  DECODE_SIDE_PX,
  type Engine,
  type FeatureCache,
  type FocalReport,
  type Photo,
  type Points,
  type Progress,
  type Rebuild,
  type RebuildOptions,
  type Step,
  type WorkOptions,
} from "./engine.ts";
