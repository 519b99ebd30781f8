import type { Doubt } from "./generation-events.ts";
import type { Hint, HintStep } from "./hints.ts";
import type { Reason } from "./image-events.ts";

/** What to tell the photographer about a photo that is not used. */
export const ADVICE: Readonly<Record<Reason, string>> = {
  blurred: "Too blurred. Hold still or use a faster shutter and take it again.",
  dark: "Too dark. Add light or a longer exposure and take it again.",
  overexposed: "Too bright. Use a shorter exposure and take it again.",
  featureless: "Nothing to see: too few details. Include edges, texture or objects.",
  overlap: "Too little overlap with the other photos. Take one in between; it is tried again with each new photo.",
  weak_overlap: "Almost enough overlap. Take one more between this and its neighbours.",
  repetitive: "It looks like several places. Include something that is there only once, and take smaller steps.",
  inconsistent:
    "What it shows is not where the others saw it. Did things move, or was the zoom another? Take it again from between.",
  first: "Waiting for a second photo from another place.",
  rotation_only: "Taken from the same spot as another. Step sideways and take one more.",
  separate:
    "One of several photos that fit together but show a second place, apart from the model. Take one that shows both.",
  duplicate: "The same photo is already here.",
  unreadable: "The photo could not be decoded.",
  failed: "The reconstruction failed on this photo. Upload it again to have it tried again.",
  cancelled: "Its processing was cancelled. Upload it again to have it used.",
};

/** What to tell whoever uses the model. */
export const DOUBTS: Readonly<Record<Doubt, string>> = {
  focal_uncertain:
    "The focal length is a guess, so the model may be stretched or bent. Give the camera's calibration or photos with their EXIF, or take more from the sides.",
  weak_seam:
    "Parts of the model hang together by too little, so one of them may lie askew or be of another size. Take more photos where they meet, in smaller steps.",
  calibration_denied:
    "The camera's calibration that was given does not fit the photos, so the model is bent. Where it is the focal length, the report says which one they tell. Give the right calibration, or none.",
  pixels_not_square:
    "The photos seem to be squeezed or stretched one way, so the model is bent. Give them as they were taken, or with their calibration.",
};

/** A hint in words for the photographer. */
export function adviceOfHint({ code, step }: Pick<Hint, "code" | "step">): string {
  switch (code) {
    case "thin_side":
      return step
        ? `This side is seen from one direction only. ${directionInWords(step)} and take one more.`
        : "A side that you passed is seen from one direction only. Take one more of it from where you stand now.";
    case "rotation":
      return "You turned on the spot, which brings no depth. Step sideways before the next photo.";
    case "small_overlap":
      return "The overlap is getting small. Move half as far before the next photo.";
    case "small_steps":
      return "The photos lie very close together. Take larger steps, and fewer photos.";
    case "blurred":
      return "This photo is less sharp than the others. Hold still, and take it again if this side matters.";
    case "flat":
      return "Everything seen so far lies in one plane. Include something before or behind it, or look from farther aside.";
    case "moving":
      return "Something moves here. Wait until it is gone, or take a few more photos of what stands still.";
    case "repetitive":
      return "This place looks the same in several spots. Include something that is there only once, and take smaller steps.";
    case "weak_link":
      return "Two parts of the model hang together by a thread. Take more photos between them.";
  }
}

/** "Step to the left about 15°" */
function directionInWords({ direction, angleDeg }: HintStep): string {
  const about = `about ${Math.round(angleDeg)}°`;
  if (direction === "left" || direction === "right") return `Step to the ${direction} ${about}`;
  return `Hold the camera ${direction}, ${about}`;
}
