/** What to say about each photo, in the protocol's words. */
import type { Reason, Verdict } from "@cairn/protocol";
import { BLURRED_SHARPNESS, DARK_BRIGHTNESS, OVEREXPOSED_BRIGHTNESS } from "../features/quality.ts";
import { looksRepetitive } from "../report/self-similar.ts";
import { support } from "./ledger.ts";
import type { Scene } from "./scene.ts";
import type { Standing } from "./standing.ts";
import type { View } from "./view.ts";

/** A sharp photo of a real place has thousands of features; with fewer than this there is little to go by. */
const FEW_FEATURES = 300;
/** A photo that sees fewer points of the scene is not far from a pose; one that sees more has been tried in vain. */
const ENOUGH_SEEN = 40;
/** Two photos from less far apart, by the angle of what they see, cannot begin a scene. */
const APART_RAD = (2 * Math.PI) / 180;

export function verdictOf(scene: Scene, index: number, standing: Standing | undefined): Verdict {
  const word = wordOf(scene, index, standing);
  return scene.isPosed(index) ? { ...word, ...support(scene, index) } : word;
}

/** The same without the figures, which cost more than all the rest. */
export function wordOf(scene: Scene, index: number, standing: Standing | undefined): Verdict {
  const view = scene.views[index];
  const { image } = view.photo;
  if (scene.isPosed(index)) return { image, verdict: "registered" };
  if (standing?.place) return { image, verdict: "waiting", reason: "separate", placePhotos: standing.place };
  return { image, verdict: "waiting", reason: reasonToWait(view, scene, standing) };
}

function reasonToWait(view: View, scene: Scene, standing: Standing | undefined): Reason {
  const poor = poorPicture(view);
  if (poor) return poor;
  if (scene.views.length === 1) return "first";
  if (standing?.tie === "rotation") return "rotation_only";
  if (isRepetitive(view)) return "repetitive";
  if (!standing) return "overlap";
  if (standing.tiedToScene && standing.seen >= ENOUGH_SEEN) {
    return standing.contradictory ? "repetitive" : "inconsistent";
  }
  return scene.posed.length === 0 && standing.angleRad < APART_RAD ? "rotation_only" : "weak_overlap";
}

const repetitive = new WeakMap<View, boolean>();

function isRepetitive(view: View): boolean {
  let known = repetitive.get(view);
  if (known === undefined) {
    known = looksRepetitive(view.features);
    repetitive.set(view, known);
  }
  return known;
}

/** What is wrong with the picture itself, where that is why it has no pose. */
export function poorPicture({ features }: View): Reason | undefined {
  if (features.brightness > OVEREXPOSED_BRIGHTNESS) return "overexposed";
  if (features.count >= FEW_FEATURES && features.sharpness >= BLURRED_SHARPNESS) return undefined;
  if (features.brightness < DARK_BRIGHTNESS) return "dark";
  if (features.sharpness < BLURRED_SHARPNESS) return "blurred";
  return "featureless";
}
