export { absolutePoseCovariance } from "./absolute-pose/covariance.ts";
export {
  type AbsolutePose,
  type AbsolutePoseOptions,
  estimateAbsolutePose,
} from "./absolute-pose/estimate.ts";
export { type RefineAbsoluteOptions, refineAbsolutePose } from "./absolute-pose/refine.ts";
export {
  alignmentDistances,
  alignPoints,
  alignPointsRobust,
  type RobustAlignment,
  type RobustAlignmentOptions,
} from "./alignment/align.ts";
export { carryPoint, type MovedCamera, type Point3, pointCarrier } from "./alignment/carry.ts";
export {
  composeSimilarities,
  invertSimilarity,
  matrixOfSimilarity,
  type QuaternionSimilarity,
  quaternionOfSimilarity,
  type Similarity3,
  similarityFromQuaternion,
  transformPoints,
  transformPose,
} from "./alignment/similarity.ts";
export { adjustBundle, type BundleOptions, type BundleReport, bundleIterations } from "./bundle/adjust.ts";
export type { BundleCovariance } from "./bundle/covariance.ts";
export type { Loss } from "./bundle/loss.ts";
export type { BundleProblem, CalibrationParameter, CalibrationPrior } from "./bundle/problem.ts";
export {
  CALIBRATION_SIZE,
  type CameraModel,
  calibrationFromParams,
  paramsFromCalibration,
  scaleCalibration,
} from "./camera/calibration.ts";
export { type Picture, pinholeForPhoto } from "./camera/for-photo.ts";
export {
  normalisedFromPixels,
  pixelsFromNormalised,
  projectPoint,
  projectPoints,
  reprojectionError,
} from "./camera/project.ts";
export {
  ecefFromModel,
  type FoundOnEarth,
  type GeodeticPlace,
  georeference,
  type ModelOnEarth,
} from "./earth/georeference.ts";
export { ecefFromEnu, ecefFromGeodetic } from "./earth/wgs84.ts";
export { alignMetric, type MetricAlignment, type MetricOptions } from "./inertial/metric.ts";
export { type InertialSamples, type Preintegrated, preintegrate } from "./inertial/preintegrate.ts";
export { alignTurning, type Turning, type TurningOptions } from "./inertial/turning.ts";
export { type FeltUp, type FeltUpOptions, feltUp, GRAVITY } from "./inertial/up.ts";
export { symmetricEigen } from "./linear/eigen.ts";
export { optimisePoseGraph, type PoseEdge, type PoseGraphReport } from "./pose-graph/optimise.ts";
export { type Random, randomNormal, sampleIndices, seededRandom } from "./random.ts";
export { neededIterations } from "./ransac.ts";
export { rotationFromVector, vectorFromRotation } from "./rotation/exponential.ts";
export {
  cameraCentre,
  composePoses,
  identityPose,
  invertPose,
  orthonormalisePose,
  poseFromQuaternion,
  poseFromRotation,
  quaternionOfPose,
  relativePose,
  retractPose,
  rotationAngle,
  rotationOfPose,
  transformPoint,
  translationOfPose,
} from "./rotation/pose.ts";
export { quaternionFromRotation, rotationFromQuaternion } from "./rotation/quaternion.ts";
export { Triangulator, type Views, viewError } from "./triangulation/triangulate.ts";
export {
  type ClassifyOptions,
  classifyTwoView,
  type PoseCandidate,
  type TwoView,
  type TwoViewKind,
} from "./two-view/classify.ts";
export { essentialFromPose, sampsonSquare } from "./two-view/essential.ts";
export { estimateHomography, type Homography } from "./two-view/homography.ts";
export { decomposeHomography, homographyFromPlane, type PlanePose } from "./two-view/plane-pose.ts";
export { type RefineRelativeOptions, refineRelativePose } from "./two-view/refine.ts";
export { estimateRelativePose, type RelativePose, type TwoViewOptions } from "./two-view/relative-pose.ts";
export { chooseByThirdView, type ThirdViewChoice } from "./two-view/third-view.ts";
