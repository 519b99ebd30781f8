/** What a state says: which photos were dealt with, what is to be shown. */
import type { Id, Seq } from "./ids.ts";
import type { Reason, Verdict } from "./image-events.ts";
import type { GenerationState, ImageState, LayerState, SpaceState } from "./state.ts";

const NOT_GIVEN: ReadonlySet<Reason> = new Set(["duplicate", "unreadable", "failed", "cancelled"]);

/**
 * Photos that were dealt with, in the order of their arrival up to the first that waits for its turn: copies, too, but
 * not those that could not be decoded or broke the engine.
 */
export function processedPhotos(state: SpaceState): number {
  let count = 0;
  for (const { verdict } of Object.values(state.images)) {
    if (!verdict) break;
    if (wasProcessed(verdict)) count++;
  }
  return count;
}

/** Whether a photo with this verdict counts: it was looked at, or is a copy of one that was. */
export function wasProcessed(verdict: Verdict | undefined): boolean {
  return wasGiven(verdict) || verdict?.reason === "duplicate";
}

/** Whether the engine ever got the photo of this verdict. */
export function wasGiven(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && (verdict.reason === undefined || !NOT_GIVEN.has(verdict.reason));
}

/** Enough photos for a model wait for their first place, and were not looked at thoroughly, all together, since the last came. */
export function owesFirstLook(state: SpaceState): boolean {
  if (state.generation > 0 || !canBegin(state)) return false;
  const looked = Object.values(state.operations).findLast(({ kind, result }) => kind === "rebuild" && result?.upTo);
  return Number(looked?.result?.upTo ?? 0) < lastGiven(state);
}

/** The event of the last photo that the engine got; 0: it got none. */
export function lastGiven(state: SpaceState): Seq {
  return Object.values(state.images).reduce(
    (last, { seq, verdict }) => (wasGiven(verdict) ? Math.max(last, seq) : last),
    0,
  );
}

/** Whether there are two photos that a model might begin with. */
export function canBegin(state: SpaceState): boolean {
  return Object.values(state.images).filter(({ verdict }) => wasGiven(verdict)).length >= 2;
}

/** An image as it is to be shown: the version that was chosen last. */
export function shownVersion(
  image: ImageState,
): Pick<ImageState, "blob" | "mediaType" | "sizeBytes" | "width" | "height"> {
  if (!image.version) return image;
  return image.versions?.find(({ version }) => version === image.version) ?? image;
}

/** Photos in the order in which they came. */
export function photosOf(state: SpaceState): ImageState[] {
  return Object.values(state.images).sort((a, b) => a.seq - b.seq);
}

/** Numbers of photos as points name them: 1 is the space's first; one that was removed keeps its own. */
export function photoNumbers(state: SpaceState): Map<Id, number> {
  const { removed = [] } = state;
  const numbers = new Map<Id, number>();
  let number = 0;
  let gone = 0;
  for (const { image, seq } of Object.values(state.images)) {
    for (; gone < removed.length && removed[gone]! < seq; gone++) number++;
    numbers.set(image, ++number);
  }
  return numbers;
}

/** The layers on the screen: those of the shown generation, and imports. */
export function shownLayers(state: SpaceState): LayerState[] {
  const shown = new Set(shownGeneration(state)?.layers);
  return Object.values(state.layers).filter(({ layer, kind }) => kind === "import" || shown.has(layer));
}

export function shownGeneration(state: SpaceState): GenerationState | undefined {
  return state.generations[state.generation];
}
