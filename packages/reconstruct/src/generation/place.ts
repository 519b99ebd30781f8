/** Where a model lies on the earth, as an event says it. */
import { cameraCentre, georeference, poseFromQuaternion } from "@cairn/geometry";
import type { Georeference, Gps, PosedCamera } from "@cairn/protocol";

/** @returns `undefined` when GPS does not tell it: too few photos with it, in a line, or too noisy for how far they spread */
export function placeOnEarth(
  cameras: readonly Pick<PosedCamera, "image" | "pose">[],
  gpsOf: (image: string) => Gps | undefined,
): Georeference | undefined {
  const seen = cameras.flatMap(({ image, pose }) => {
    const gps = gpsOf(image);
    return gps ? [{ gps, centre: cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)) }] : [];
  });
  const centres = Float64Array.from(seen.flatMap(({ centre }) => [...centre]));
  const found = georeference(
    centres,
    seen.map(({ gps }) => gps),
  );
  if (!found) return undefined;
  const { cameras: _, ...place } = found;
  return place;
}
