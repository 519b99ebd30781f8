/** What heights are told in: metres where the model lies on the earth, the cloud's own numbers where there is only that. */
import { type Georeference, type SpaceState, shownLayers, type Vec3 } from "@cairn/protocol";

type HeightUnits = {
  /** Height at the scene's origin. */
  readonly zero: number;
  /** Of one unit of the scene. */
  readonly scale: number;
  /** Empty: nobody said what the numbers mean. */
  readonly unit: "m" | "";
};

export function georeferenceOf(state: SpaceState | undefined, generation: number): Georeference | undefined {
  return state?.generations[generation]?.published?.georeference;
}

/** @param bottom lowest that is coloured, scene @param origin of the scene, model frame @param up model frame */
export function heightUnits(state: SpaceState, bottom: number, origin: Vec3, up: Vec3): HeightUnits {
  const georeference = georeferenceOf(state, state.generation);
  // Altitudes by GPS are metres wrong: what is told is how far above the lowest point.
  if (georeference) {
    const { scale } = georeference.enuFromModel;
    return { zero: -bottom * scale, scale, unit: "m" };
  }
  const imported = shownLayers(state).every(({ kind }) => kind === "import");
  const cameras = Object.keys(state.generations[state.generation]?.cameras ?? {}).length;
  const zero = imported && cameras === 0 ? up[0] * origin[0] + up[1] * origin[1] + up[2] * origin[2] : -bottom;
  return { zero, scale: 1, unit: "" };
}
