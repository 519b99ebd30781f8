export { type CommandEngineOptions, openCommandEngine } from "./command/command-engine.ts";
export { type Dense, openDense } from "./dense/depth/dense.ts";
export { type DepthEstimator, openDepthEstimator } from "./dense/depth/estimator.ts";
export type { DepthOptions } from "./dense/depth/options.ts";
export { type EmbeddedEngineOptions, openEmbeddedEngine } from "./embedded/embedded-engine.ts";
export {
  DECODE_SIDE_PX,
  type Engine,
  type EngineCache,
  type FeltUpright,
  type FocalReport,
  type Photo,
  type Points,
  type Progress,
  type Rebuild,
  type RebuildOptions,
  type Step,
  type WorkOptions,
} from "./engine.ts";
export { type ExtractOptions, type Extractor, openExtractor } from "./features/extractor.ts";
export { decodeFeatures, encodeFeatures, FEATURES_VERSION, type Features } from "./features/features.ts";
export { type FrontEnd, openFrontEnd } from "./features/front-end.ts";
export { type Matcher, type MatchOptions, openMatcher } from "./features/matcher.ts";
export { BLURRED_SHARPNESS, DARK_BRIGHTNESS } from "./features/quality.ts";
export { type DatedPose, FEWEST_DATED, feltMetric } from "./generation/felt.ts";
export { carryPoints, composeMotions, layStep, motionAsOne } from "./generation/motion.ts";
export { placeOnEarth, scaleOf } from "./generation/place.ts";
export { uprightOf } from "./generation/upright.ts";
