/** Photos for the tests of looks from the side: with features, and slants, at the places that a test names. */
import { allocateFeatures, type Features } from "../features/features.ts";
import type { SlantSide } from "../features/slant-matches.ts";
import { makeView, type View } from "../mapper/view.ts";

const [WIDTH, HEIGHT] = [640, 480];
export const CENTRE = { x: WIDTH / 2, y: HEIGHT / 2 };

type Places = readonly (readonly [x: number, y: number])[];

function featuresAt(places: Places): Features {
  const features = allocateFeatures(places.length, 1, 0.5);
  for (const [i, [x, y]] of places.entries()) {
    features.x[i] = x;
    features.y[i] = y;
    features.scale[i] = 2;
  }
  return features;
}

export function viewOf(index: number, places: Places): View {
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3).map((_, i) => i % 251);
  const size = { widthPx: WIDTH, heightPx: HEIGHT, fullWidthPx: WIDTH, fullHeightPx: HEIGHT };
  return makeView(index, { image: `${index}`, name: "", digest: "", rgb, ...size }, 0, CENTRE, featuresAt(places));
}

/** A side whose slants are at these places. */
export function sideOf({ features }: View, places: Places): SlantSide {
  const { count, x, y, scale, descriptors } = featuresAt(places);
  return { features, slants: { count, x, y, scale: scale.map(() => 5), descriptors, first: Uint32Array.of(0, count) } };
}
