/** What to say about each photo, in the protocol's words. */
import type { Reason, Verdict } from "@cairn/protocol";
import { BLURRED_SHARPNESS, DARK_BRIGHTNESS } from "../features/quality.ts";
import type { Scene } from "./scene.ts";
import type { View } from "./view.ts";

/** What is known of a photo that has no pose. */
export type Standing = {
  /** How its strongest tie to another photo looks. */
  readonly tie: "none" | "rotation" | "planar" | "general";
  /** Photos of the separate place that it belongs to; 0 for none. */
  readonly place: number;
};

/** A sharp photo of a real place has thousands of features; with fewer than this there is little to go by. */
const FEW_FEATURES = 300;

/** Without the figures of `support`. */
export function verdictOf(scene: Scene, index: number, standing: Standing | undefined): Verdict {
  const view = scene.views[index];
  const { image } = view.photo;
  if (scene.isPosed(index)) return { image, verdict: "registered" };
  if (standing?.place) return { image, verdict: "waiting", reason: "separate", placePhotos: standing.place };
  return { image, verdict: "waiting", reason: reasonToWait(view, scene.views.length, standing) };
}

function reasonToWait(view: View, viewCount: number, standing: Standing | undefined): Reason {
  const poor = poorPicture(view);
  if (poor) return poor;
  if (viewCount === 1) return "first";
  return standing?.tie === "rotation" ? "rotation_only" : "overlap";
}

/** What is wrong with the picture itself, where that is why it has no pose. */
function poorPicture({ features }: View): Reason | undefined {
  if (features.count >= FEW_FEATURES && features.sharpness >= BLURRED_SHARPNESS) return undefined;
  if (features.brightness < DARK_BRIGHTNESS) return "dark";
  if (features.sharpness < BLURRED_SHARPNESS) return "blurred";
  return "featureless";
}
