/** The one sentence for whoever holds the camera, from what the reconstruction says of the space. Pure. */
import { ADVICE, photosOf, type SpaceState } from "@cairn/protocol";
import { newestHint } from "../words.ts";

export type Advice = { readonly tone: "good" | "calm" | "warn"; readonly text: string };

/** Faster than this a phone's pictures smear: a pixel of a 70° view at 1/60 s moves some 30 pixels. */
const FAST_RAD_PER_S = 1.5;
/** What goes on by itself needs another word than what takes a tap each time. */
const WORDS = {
  photo: {
    first: "Point at something with edges and texture, and take the first photo.",
    next: "Step sideways, keep most of it in view, and take the next.",
  },
  video: {
    first: "Point at something with edges and texture, and start.",
    next: "Go on slowly, sideways around it, with most of it in view.",
  },
} as const;

/** @param turning how fast the phone turns just now, rad/s; 0 where it is not known */
export function adviceFor(state: SpaceState, use: keyof typeof WORDS, turning: number): Advice {
  const words = WORDS[use];
  if (turning > FAST_RAD_PER_S) return { tone: "warn", text: "Move slower: pictures smear when you turn this fast." };
  const photos = photosOf(state);
  if (photos.length === 0) {
    return { tone: "calm", text: words.first };
  }
  const judged = photos.filter(({ verdict }) => verdict);
  const newest = judged.at(-1);
  const hint = newestHint(state);
  const reason = newest?.verdict?.verdict === "registered" ? undefined : newest?.verdict?.reason;
  // The newer one of the two: a photo that came after the hint has the word.
  if (newest && reason && !(hint && hint.seq > newest.seq)) {
    return { tone: reason === "first" ? "calm" : "warn", text: ADVICE[reason] };
  }
  if (hint) return { tone: "warn", text: hint.text };
  if (newest?.verdict?.verdict === "registered") {
    return { tone: "good", text: `That fits. ${words.next}` };
  }
  return { tone: "calm", text: words.next };
}
