/** What a new generation did to the frame that everybody sees, told by the cameras that both have. */
import {
  alignmentDistances,
  alignPoints,
  alignPointsRobust,
  calibrationFromParams,
  cameraCentre,
  composeSimilarities,
  type MovedCamera,
  pointCarrier,
  poseFromQuaternion,
  quaternionOfPose,
  quaternionOfSimilarity,
  type Similarity3,
  seededRandom,
  similarityFromQuaternion,
  transformPoints,
  transformPose,
} from "@cairn/geometry";
import type { Hint, Pose, PosedCamera, Similarity, Vec3 } from "@cairn/protocol";
import type { Step } from "../engine.ts";

type Posed = Pick<PosedCamera, "image" | "pose" | "intrinsics">;

/** Points of the old generation where they are in the new one: each moves as the photos near it do. */
export function carryPoints(points: readonly Vec3[], before: readonly Posed[], after: readonly Posed[]): Vec3[] {
  const carry = pointCarrier(common(before, after));
  return points.map((point) => carry?.(point) ?? point);
}

/**
 * The one similarity that takes every camera from where it was to where it is.
 * @param toleranceOf how far a camera may end beside its place, and what it looks at at the scene's size; new units, by
 * the scale of the motion
 * @returns `undefined` when a camera is gone, or when they did not move as one
 */
export function motionAsOne(
  before: readonly Posed[],
  after: readonly Posed[],
  toleranceOf: (scale: number) => number,
): Similarity | undefined {
  const cameras = common(before, after);
  if (cameras.length < before.length || cameras.length < 2) return undefined;
  const [source, target] = framesOf(cameras);
  const motion = alignPoints(source, target);
  if (!motion) return undefined;
  const distances = new Float64Array(source.length / 3);
  alignmentDistances(motion, source, target, distances);
  return Math.max(...distances) <= toleranceOf(motion.scale) ? quaternionOfSimilarity(motion) : undefined;
}

/** One motion after another; `before` left out is none. */
export function composeMotions(after: Similarity, before: Similarity | undefined): Similarity {
  if (!before) return after;
  const composed = composeSimilarities(similarityFromQuaternion(after), similarityFromQuaternion(before));
  return quaternionOfSimilarity(composed);
}

/**
 * What an engine handed out, in the frame of cameras that are shown and are not the engine's own: someone went back to
 * an earlier generation, or the engine came to another model. Cameras that are shown stay where they are.
 * @param own where the engine has its cameras
 */
export function layStep(step: Step, own: readonly Posed[], shown: readonly Posed[]): Step {
  const taken = new Set(shown.map(({ image }) => image));
  const cameras = step.cameras.filter(({ image }) => !taken.has(image));
  const motion = likelyMotion(own, shown);
  if (!motion) return { ...step, cameras, hints: (step.hints ?? []).filter(({ region }) => !region) };
  const positions = Float32Array.from(transformPoints(motion, Float64Array.from(step.points.positions)));
  return {
    ...step,
    cameras: cameras.map(({ sigma, ...camera }) => ({
      ...camera,
      pose: movedPose(motion, camera.pose),
      ...(sigma && { sigma: { ...sigma, position: motion.scale * sigma.position } }),
    })),
    points: { ...step.points, positions },
    ...(step.hints && { hints: step.hints.map((hint) => movedHint(motion, hint)) }),
  };
}

function movedHint(motion: Similarity3, hint: Hint): Hint {
  if (!hint.region) return hint;
  const [x, y, z] = transformPoints(motion, Float64Array.from(hint.region.point));
  return { ...hint, region: { point: [x, y, z], radius: motion.scale * hint.region.radius } };
}

/** The similarity that most cameras follow. */
function likelyMotion(before: readonly Posed[], after: readonly Posed[]): Similarity3 | undefined {
  const cameras = common(before, after);
  if (cameras.length < 2) return undefined;
  const [source, target] = framesOf(cameras);
  return alignPointsRobust(source, target, { random: seededRandom(1) })?.similarity;
}

function movedPose(motion: Similarity3, { rotation, translation }: Pose): Pose {
  const pose = poseFromQuaternion(rotation, translation);
  transformPose(motion, pose, 0, pose, 0);
  const [w, x, y, z] = quaternionOfPose(pose);
  return { rotation: [w, x, y, z], translation: [pose[3], pose[7], pose[11]] };
}

function common(before: readonly Posed[], after: readonly Posed[]): MovedCamera[] {
  const now = new Map(after.map((camera) => [camera.image, camera]));
  return before.flatMap((camera) => {
    const moved = now.get(camera.image);
    if (!moved) return [];
    const { width, height } = camera.intrinsics;
    return {
      poseBefore: poseFromQuaternion(camera.pose.rotation, camera.pose.translation),
      poseAfter: poseFromQuaternion(moved.pose.rotation, moved.pose.translation),
      calibrationBefore: calibrationFromParams(camera.intrinsics.model, camera.intrinsics.params),
      calibrationAfter: calibrationFromParams(moved.intrinsics.model, moved.intrinsics.params),
      widthPx: width,
      heightPx: height,
    };
  });
}

/** Of each camera its centre and where it looks, before and after: what a similarity is found by. */
function framesOf(cameras: readonly MovedCamera[]): [before: Float64Array, after: Float64Array] {
  const [before, after] = [cameras.map((each) => each.poseBefore), cameras.map((each) => each.poseAfter)];
  const all = (poses: readonly Float64Array[]) => {
    const reach = spread(poses);
    return Float64Array.from(poses.flatMap((pose) => framePoints(pose, reach)));
  };
  return [all(before), all(after)];
}

/** A camera's centre, and the points at `reach` along its axes. */
function framePoints(pose: Float64Array, reach: number): number[] {
  const centre = cameraCentre(pose);
  const ahead = [0, 1, 2].flatMap((axis) => [0, 1, 2].map((k) => centre[k] + reach * pose[4 * axis + k]));
  return [...centre, ...ahead];
}

/** Root mean square distance of the cameras from their middle. */
function spread(poses: readonly Float64Array[]): number {
  const centres = poses.map((pose) => cameraCentre(pose));
  const middle = [0, 1, 2].map((k) => centres.reduce((sum, centre) => sum + centre[k] / centres.length, 0));
  const squares = centres.map((centre) => Math.hypot(...middle.map((value, k) => centre[k] - value)) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square / centres.length, 0));
}
