/** Where photos were taken: what tells which side of a surface is its outside. */
import { modelFromLayer } from "@cairn/cloud";
import { photoNumbers, type SpaceState, shownGeneration, type Vec3 } from "@cairn/protocol";

/** Of the photos of the shown generation, by their numbers; model frame. */
export function photoCentres(state: SpaceState): [number, Vec3][] {
  const numbers = photoNumbers(state);
  return Object.values(shownGeneration(state)?.cameras ?? {}).flatMap(({ image, pose }): [number, Vec3][] => {
    const number = numbers.get(image);
    if (number === undefined) return [];
    const m = modelFromLayer({ transform: { scale: 1, ...pose } }); // column-major, world→camera
    const centre = (axis: number) => -(m[axis * 4]! * m[12]! + m[axis * 4 + 1]! * m[13]! + m[axis * 4 + 2]! * m[14]!);
    return [[number, [centre(0), centre(1), centre(2)]]];
  });
}
