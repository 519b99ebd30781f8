export {
  DECODE_SIDE_PX,
  type Engine,
  type FeatureCache,
  type FocalReport,
  type Photo,
  type Points,
  type Progress,
  type Rebuild,
  type Step,
  type WorkOptions,
} from "./engine.ts";
