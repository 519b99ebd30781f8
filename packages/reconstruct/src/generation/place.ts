/** Where a model lies on the earth, as an event says it. */
import { cameraCentre, georeference, type MetricAlignment, poseFromQuaternion } from "@cairn/geometry";
import type { Georeference, Gps, PosedCamera, Scale } from "@cairn/protocol";

export type Placed = {
  /** As an event says it. */
  readonly georeference: Georeference;
  /** What the noise of one coordinate of GPS may be, metres: a bound from above that is fair to few photos. */
  readonly noiseM: number;
};

/** @returns `undefined` when GPS does not tell it: too few photos with it, in a line, or too noisy for how far they spread */
export function placeOnEarth(
  cameras: readonly Pick<PosedCamera, "image" | "pose">[],
  gpsOf: (image: string) => Gps | undefined,
): Placed | undefined {
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
  const { latitudeDeg, longitudeDeg, altitudeM, enuFromModel, residualM, noiseM } = found;
  return { georeference: { latitudeDeg, longitudeDeg, altitudeM, enuFromModel, residualM }, noiseM };
}

/** How long the model's unit of length is: by GPS, by motion sensors, whichever is surer, or nothing that anyone knows. */
export function scaleOf(
  cameras: readonly Pick<PosedCamera, "pose">[],
  placed: Placed | undefined,
  felt?: Pick<MetricAlignment, "scale" | "sigma">,
): Scale {
  const carried: Scale = felt ? { source: "motion", metres: felt.scale, sigma: felt.sigma } : { source: "unit" };
  if (!placed) return carried;
  const metres = placed.georeference.enuFromModel.scale;
  const centres = cameras.map(({ pose }) => cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)));
  const middle = [0, 1, 2].map((axis) => centres.reduce((sum, centre) => sum + centre[axis] / centres.length, 0));
  const square = centres.reduce((sum, c) => sum + middle.reduce((all, m, axis) => all + (c[axis] - m) ** 2, 0), 0);
  // Least squares of a scale over centres that lie so far from their middle. The noise is its bound, not the residual:
  // three photos leave next to none, however wrong the scale.
  const sigma = placed.noiseM / (metres * Math.sqrt(square));
  return felt && felt.sigma < sigma ? carried : { source: "gps", metres, sigma };
}
