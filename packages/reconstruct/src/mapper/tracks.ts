/**
 * Tracks: features of several photos that show one point of the scene. Grown match by match; a track holds at most
 * one feature of a photo, and a match that would break this is left out, so stronger pairs should be given first.
 */

export type Track = {
  /** Which photo and which feature of it, pair by pair. */
  readonly views: number[];
  readonly features: number[];
  /** Whether the observation agrees with the point; meaningful where the photo has a pose. */
  readonly fits: boolean[];
  /** `[3]` model frame, once triangulated. */
  point: Float64Array | undefined;
  /** Where the point was when it was handed out in this generation. */
  handed: Float64Array | undefined;
};

/** Whether two tracks that a match would join can be one point; asked when the first has one. */
export type Compatible = (kept: Track, joining: Track) => boolean;

export class Tracks {
  /** Removed tracks stay as holes until `compact`. */
  #list: (Track | undefined)[] = [];
  /** Per photo, per feature: index of its track, or −1. */
  readonly #ofFeature: Int32Array[] = [];
  /** Per track, the last round of `ofViews` that met it. */
  #met = new Int32Array(1024);
  #round = 0;

  addView(featureCount: number): void {
    this.#ofFeature.push(new Int32Array(featureCount).fill(-1));
  }

  /** A photo has more features than before, behind those that it had. */
  growView(view: number, featureCount: number): void {
    const grown = new Int32Array(featureCount).fill(-1);
    grown.set(this.#ofFeature[view]);
    this.#ofFeature[view] = grown;
  }

  get viewCount(): number {
    return this.#ofFeature.length;
  }

  *all(): Generator<Track> {
    for (const track of this.#list) if (track) yield track;
  }

  /** The track of a feature. */
  of(view: number, feature: number): Track | undefined {
    const index = this.#ofFeature[view][feature];
    return index < 0 ? undefined : this.#list[index];
  }

  /** Every feature of a photo that has a track. */
  *ofView(view: number): Generator<readonly [feature: number, track: Track]> {
    const indices = this.#ofFeature[view];
    for (let feature = 0; feature < indices.length; feature++) {
      const track = indices[feature] < 0 ? undefined : this.#list[indices[feature]];
      if (track) yield [feature, track];
    }
  }

  /** Every track that one of the photos has a feature of, once. */
  ofViews(views: Iterable<number>): Track[] {
    if (this.#met.length < this.#list.length) this.#met = new Int32Array(2 * this.#list.length);
    const round = ++this.#round;
    const found: Track[] = [];
    for (const view of views) {
      for (const index of this.#ofFeature[view]) {
        const track = index < 0 || this.#met[index] === round ? undefined : this.#list[index];
        if (!track) continue;
        this.#met[index] = round;
        found.push(track);
      }
    }
    return found;
  }

  /** How many features of a photo show a point. */
  countPoints(view: number): number {
    let count = 0;
    for (const index of this.#ofFeature[view]) if (index >= 0 && this.#list[index]?.point) count++;
    return count;
  }

  /** Says that two features show the same point; returns whether they are one track now. */
  join(viewA: number, featureA: number, viewB: number, featureB: number, compatible: Compatible = () => true): boolean {
    const a = this.#ofFeature[viewA][featureA];
    const b = this.#ofFeature[viewB][featureB];
    if (a >= 0 && a === b) return true;
    if (a < 0 && b < 0) {
      this.#list.push({
        views: [viewA, viewB],
        features: [featureA, featureB],
        fits: [true, true],
        point: undefined,
        handed: undefined,
      });
      this.#ofFeature[viewA][featureA] = this.#list.length - 1;
      this.#ofFeature[viewB][featureB] = this.#list.length - 1;
      return true;
    }
    if (a < 0) return this.#extend(b, viewA, featureA);
    if (b < 0) return this.#extend(a, viewB, featureB);
    return this.#merge(a, b, compatible);
  }

  #extend(index: number, view: number, feature: number): boolean {
    const track = this.#list[index]!;
    if (track.views.includes(view)) return false;
    track.views.push(view);
    track.features.push(feature);
    track.fits.push(true);
    this.#ofFeature[view][feature] = index;
    return true;
  }

  #merge(a: number, b: number, compatible: Compatible): boolean {
    const [kept, joining] = [this.#list[a]!, this.#list[b]!];
    if (joining.views.some((view) => kept.views.includes(view))) return false;
    // The one with a point, else the longer, takes the other in.
    const swap =
      (joining.point !== undefined && kept.point === undefined) ||
      ((joining.point === undefined) === (kept.point === undefined) && joining.views.length > kept.views.length);
    const [into, from, index] = swap ? [joining, kept, b] : [kept, joining, a];
    if (into.point && !compatible(into, from)) return false;
    for (let k = 0; k < from.views.length; k++) {
      into.views.push(from.views[k]);
      into.features.push(from.features[k]);
      into.fits.push(true);
      this.#ofFeature[from.views[k]][from.features[k]] = index;
    }
    into.handed ??= from.handed;
    from.point = undefined;
    this.#list[swap ? a : b] = undefined;
    return true;
  }

  /** Takes one observation out of its track; a track of one is no track. */
  remove(view: number, feature: number): void {
    const index = this.#ofFeature[view][feature];
    const track = index < 0 ? undefined : this.#list[index];
    if (!track) return;
    const at = track.views.indexOf(view);
    track.views.splice(at, 1);
    track.features.splice(at, 1);
    track.fits.splice(at, 1);
    this.#ofFeature[view][feature] = -1;
    if (track.views.length > 1) return;
    for (let k = 0; k < track.views.length; k++) this.#ofFeature[track.views[k]][track.features[k]] = -1;
    track.point = undefined;
    this.#list[index] = undefined;
  }

  /** A copy that shares nothing. */
  clone(): Tracks {
    const copy = new Tracks();
    for (const indices of this.#ofFeature) copy.#ofFeature.push(indices.slice());
    copy.#list = this.#list.map(
      (track) =>
        track && {
          views: track.views.slice(),
          features: track.features.slice(),
          fits: track.fits.slice(),
          point: track.point?.slice(),
          handed: track.handed?.slice(),
        },
    );
    return copy;
  }
}
