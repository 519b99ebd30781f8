/** Where to look at files from: all meshes in the picture, and of points what their cameras stood before. y is up. */
import type { Vec3 } from "@cairn/protocol";
import { Box3, LineSegments, Mesh, type Object3D, Points, Vector3 } from "three";
import { centre, fitView, foreground, robustBounds, type View, viewDirection } from "../framing.ts";

const SAMPLES = 24_000;
/** Cameras that are looked at, of all. */
const MOST_CAMERAS = 500;
/** Of the picture, the part that may be filled. */
const FILLED = 0.82;

/** Points in the scene's frame, `[n, 3]`, evenly out of all clouds; `clouds`: how many points those have. */
export function sampleOf(content: Object3D): { cloud: Float32Array; clouds: number } {
  const parts: Points[] = [];
  content.traverse((each) => {
    if (each instanceof Points) parts.push(each);
  });
  const clouds = parts.reduce((sum, { geometry }) => sum + geometry.attributes.position!.count, 0);
  const stride = Math.max(1, Math.floor(clouds / SAMPLES));
  const found: number[] = [];
  const v = new Vector3();
  for (const { geometry, matrixWorld } of parts) {
    const { position } = geometry.attributes;
    for (let i = 0; i < position!.count; i += stride) {
      v.fromBufferAttribute(position!, i).applyMatrix4(matrixWorld);
      found.push(v.x, v.y, v.z);
    }
  }
  return { cloud: Float32Array.from(found), clouds };
}

/**
 * A view of everything; `undefined` when there is nothing.
 * @param all a sample of the points, scene's frame, `[n, 3]` @param eye where a photographer stood, frame of the files
 * @param free what the view must fit in; `fovY` radians
 */
export function viewOf(
  content: Object3D,
  all: Float32Array,
  eye: Vec3 | undefined,
  { fovY, aspect }: { fovY: number; aspect: number },
): View | undefined {
  const { corners, cameras } = landmarksOf(content);
  if (eye && all.length > 0) {
    const { x, y, z } = new Vector3(...eye).applyMatrix4(content.matrixWorld);
    cameras.push([x, y, z]);
  }
  const needed = [...corners, ...cameras];
  const cloud = foreground(all, all.length / 3, cameras);
  const count = cloud.length / 3;
  const bounds = robustBounds(cloud, count, needed);
  if (!bounds) return undefined;
  const subject = robustBounds(cloud, count, corners, 0.1) ?? bounds;
  const aside = corners.length > 0 ? { azimuth: 0.6, elevation: 0.42 } : { azimuth: 0, elevation: 0.25 };
  const direction = cameras.length > 0 ? viewDirection(centre(subject), cameras) : aside;
  return fitView(centre(bounds), cloud, count, needed, direction, fovY, aspect, FILLED);
}

/** Corners of meshes, and the middles of lines, which are cameras. */
function landmarksOf(content: Object3D): { corners: Vec3[]; cameras: Vec3[] } {
  const corners: Vec3[] = [];
  const cameras: Vec3[] = [];
  content.traverse((each) => {
    const box = new Box3();
    if (each instanceof Mesh) {
      box.setFromObject(each);
      for (let i = 0; i < 8 && !box.isEmpty(); i++) {
        const corner = (axis: "x" | "y" | "z", bit: number) => (i & bit ? box.max[axis] : box.min[axis]);
        corners.push([corner("x", 1), corner("y", 2), corner("z", 4)]);
      }
    } else if (each instanceof LineSegments && cameras.length < MOST_CAMERAS) {
      const { x, y, z } = box.setFromObject(each).getCenter(new Vector3());
      if (!box.isEmpty()) cameras.push([x, y, z]);
    }
  });
  return { corners, cameras };
}
