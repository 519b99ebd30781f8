/**
 * Which earlier photos a new one is compared with. An index of all photos names a few dozen that look alike, and those
 * taken near by are added; the largest features of these few, compared one with another, say which to match in full.
 * So a photo costs the same whether it is the twentieth or the thousandth.
 */
import type { Gps } from "@cairn/protocol";
import type { FrontEnd } from "../features/front-end.ts";
import type { Descriptors } from "../features/matcher.ts";
import { PhotoIndex } from "../features/photo-index.ts";
import { Vocabulary } from "../features/vocabulary.ts";
import type { View } from "../mapper/view.ts";

/** Most photos that are matched in full for their looks. */
const CANDIDATES = 8;
/** Photos just before often show the same thing. */
const RECENT = 2;
/** Of the true neighbours, 98 % or more are among the 24 that look most alike (`benchmarks/retrieval.mjs`). */
const SHORTLIST = 32;
/** Of those whose place is known, so many that were taken nearest. */
const NEAR = 6;
/** Enough of the largest features to tell a neighbour. */
const FEW_FEATURES = 400;

export class Neighbours {
  readonly #kernels: Pick<FrontEnd, "matchMany">;
  readonly #views: readonly View[];
  readonly #index = new PhotoIndex();
  #vocabulary: Vocabulary | undefined;
  /** Per view, the words of its features; none before there is a vocabulary. */
  readonly #words: Uint8Array[] = [];

  /** @param views lent: grows as photos come */
  constructor(kernels: Pick<FrontEnd, "matchMany">, views: readonly View[]) {
    this.#kernels = kernels;
    this.#views = views;
  }

  /** Most alike first. */
  async of(view: number): Promise<number[]> {
    this.#readUpTo(view);
    const some = this.#shortlist(view);
    if (some.length <= CANDIDATES) return some;
    const own = this.#views[view].features;
    const features = some.map((other) => this.#views[other].features);
    const alike = await this.#kernels.matchMany(own, features, { first: FEW_FEATURES });
    const ranked = [...some.keys()]
      .sort((p, q) => alike[q].length - alike[p].length || some[q] - some[p])
      .slice(0, CANDIDATES)
      .map((k) => some[k]);
    return distinct([...ranked, ...recent(view)]);
  }

  /** What matching in full reads of a view. */
  descriptorsOf(view: number): Descriptors {
    this.#readUpTo(view);
    const { features } = this.#views[view];
    const words = this.#words[view];
    return words ? { ...features, words } : features;
  }

  /** Of the vocabulary by which `descriptorsOf` tells words now. */
  get wordsName(): string {
    return this.#vocabulary?.name ?? "none";
  }

  #shortlist(view: number): number[] {
    if (view <= SHORTLIST || !this.#vocabulary) return Array.from({ length: view }, (_, k) => view - 1 - k);
    return distinct([...recent(view), ...this.#index.alike(view, SHORTLIST), ...nearest(this.#views, view)]);
  }

  #readUpTo(view: number): void {
    this.#vocabulary ??= Vocabulary.of(this.#views.slice(0, view + 1).map(({ features }) => features));
    if (!this.#vocabulary) return;
    while (this.#words.length <= view) {
      const { features } = this.#views[this.#words.length];
      const words = this.#vocabulary.wordsOf(features);
      this.#words.push(words);
      this.#index.add(features, words, this.#vocabulary.centres);
    }
  }
}

function recent(view: number): number[] {
  return Array.from({ length: Math.min(RECENT, view) }, (_, k) => view - 1 - k);
}

function distinct(views: readonly number[]): number[] {
  return [...new Set(views)];
}

/** Earlier views taken nearest to this one; none where its place is not known. */
function nearest(views: readonly View[], view: number): number[] {
  const { gps } = views[view].photo;
  if (!gps) return [];
  const known: { other: number; distance: number }[] = [];
  for (let other = 0; other < view; other++) {
    const place = views[other].photo.gps;
    if (place) known.push({ other, distance: distanceDeg(gps, place) });
  }
  return known
    .sort((p, q) => p.distance - q.distance || q.other - p.other)
    .slice(0, NEAR)
    .map(({ other }) => other);
}

/** Degrees along a meridian; good enough to compare short distances. */
function distanceDeg(a: Gps, b: Gps): number {
  const turn = Math.abs(a.longitudeDeg - b.longitudeDeg);
  const east = Math.min(turn, 360 - turn) * Math.cos((a.latitudeDeg * Math.PI) / 180);
  return Math.hypot(a.latitudeDeg - b.latitudeDeg, east);
}
