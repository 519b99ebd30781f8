/** Lays a refined scene onto the frame that everybody already sees, by its cameras and points. */
import {
  alignPointsRobust,
  cameraCentre,
  poseFromQuaternion,
  quaternionFromRotation,
  type Similarity3,
  seededRandom,
} from "@cairn/geometry";
import type { PosedCamera } from "@cairn/protocol";
import type { Rebuild } from "../engine.ts";
import type { Ledger } from "./ledger.ts";
import type { Scene } from "./scene.ts";

/** One camera counts as much as this many points. */
const CAMERA_WEIGHT = 20;

/** Moves the scene. @returns undefined, with the scene as it was, when nothing was handed out or too little is common */
export function layOnto(
  scene: Scene,
  ledger: Ledger,
  frame: readonly PosedCamera[] | undefined,
  seed: number,
): Pick<Rebuild, "alignment" | "residual"> | undefined {
  const wanted = frame ? posesOf(scene, frame) : ledger.handedPoses();
  const poses = [...wanted].filter(([view]) => scene.isPosed(view));
  const source: number[] = [];
  const target: number[] = [];
  const weights: number[] = [];
  const add = (from: Iterable<number>, to: Iterable<number>, weight: number) => {
    source.push(...from);
    target.push(...to);
    weights.push(weight);
  };
  for (const [view, pose] of poses) add(cameraCentre(scene.poses, view * 12), cameraCentre(pose), CAMERA_WEIGHT);
  const reach = [spread(source), spread(target)] as const;
  // Where a camera looks says how the frame is turned, which centres on one line leave open.
  for (const [view, pose] of poses) {
    for (let axis = 0; axis < 3; axis++) {
      add(ahead(scene.pose(view), axis, reach[0]), ahead(pose, axis, reach[1]), 1);
    }
  }
  if (!frame) {
    for (const { point, handed } of scene.tracks.all()) if (point && handed) add(point, handed, 1);
  }
  const found = alignPointsRobust(Float64Array.from(source), Float64Array.from(target), {
    random: seededRandom(seed),
    weights: Float64Array.from(weights),
  });
  if (!found || poses.length < 2) return undefined;
  scene.transform(found.similarity);
  return { alignment: similarityOf(found.similarity), residual: found.rms / scene.size() };
}

function* posesOf(scene: Scene, frame: readonly PosedCamera[]): Generator<[view: number, pose: Float64Array]> {
  const cameras = new Map(frame.map((camera) => [camera.image, camera]));
  for (const { index, photo } of scene.views) {
    const camera = cameras.get(photo.image);
    if (camera) yield [index, poseFromQuaternion(camera.pose.rotation, camera.pose.translation)];
  }
}

/** The point at this distance from a camera along one of its axes. */
function ahead(pose: Float64Array, axis: number, distance: number): number[] {
  const centre = cameraCentre(pose);
  return [0, 1, 2].map((k) => centre[k] + distance * pose[4 * axis + k]);
}

/** Root mean square distance of `[n, 3]` points from their middle. */
function spread(points: readonly number[]): number {
  const n = points.length / 3;
  const middle = [0, 0, 0];
  for (const [i, x] of points.entries()) middle[i % 3] += x / n;
  let sum = 0;
  for (const [i, x] of points.entries()) sum += (x - middle[i % 3]) ** 2;
  return Math.sqrt(sum / n);
}

function similarityOf({ scale, rotation, translation }: Similarity3): NonNullable<Rebuild["alignment"]> {
  const [w, x, y, z] = quaternionFromRotation(rotation);
  const [tx, ty, tz] = translation;
  return { scale, rotation: [w, x, y, z], translation: [tx, ty, tz] };
}
