export {
  alignmentDistances,
  alignPoints,
  alignPointsRobust,
  type RobustAlignment,
  type RobustAlignmentOptions,
} from "./alignment/align.ts";
export { invertSimilarity, type Similarity3, transformPoints, transformPose } from "./alignment/similarity.ts";
export {
  CALIBRATION_SIZE,
  type CameraModel,
  calibrationFromParams,
  paramsFromCalibration,
  scaleCalibration,
} from "./camera/calibration.ts";
export {
  normalisedFromPixels,
  pixelsFromNormalised,
  projectPoint,
  projectPoints,
  reprojectionError,
} from "./camera/project.ts";
export { type Random, randomNormal, sampleIndices, seededRandom } from "./random.ts";
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
