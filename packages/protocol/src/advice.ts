import type { Doubt, Reason } from "./events.ts";

/** What to tell the photographer. */
export const ADVICE: Readonly<Record<Reason, string>> = {
  blurred: "Too blurred. Hold still or use a faster shutter and take it again.",
  dark: "Too dark. Add light or a longer exposure and take it again.",
  featureless: "Nothing to see: too few details. Include edges, texture or objects.",
  overlap: "Too little overlap with the other photos. Take one in between; it is tried again with each new photo.",
  first: "Waiting for a second photo from another place.",
  rotation_only: "Taken from the same spot as another. Step sideways and take one more.",
  separate:
    "One of several photos that fit together but show a second place, apart from the model. Take one that shows both.",
  duplicate: "The same photo is already here.",
  unreadable: "The photo could not be decoded.",
  failed: "The reconstruction failed on this photo; it is tried again with each new photo.",
  cancelled: "Its processing was cancelled. Upload it again to have it used.",
};

/** What to tell whoever uses the model. */
export const DOUBTS: Readonly<Record<Doubt, string>> = {
  focal_uncertain:
    "The focal length is a guess, so the model may be stretched or bent. Give the camera's calibration or photos with their EXIF, or take more from the sides.",
};
