/**
 * When it is whose turn: the next photo's, a rebuild's, or nobody's. It asks the log's state, and what became of the work
 * so far; nothing here works itself.
 */
import {
  type ImageState,
  owesFirstLook,
  processedPhotos,
  type SpaceState,
  STREAM,
  shownGeneration,
} from "@cairn/protocol";

/** However long a rebuild takes, one is done in the midst of a stream when the model has grown to this, or doubled. */
const MOST_UNREFINED = 64;

/** After a keyframe that had its points at once come others without, for so many times as long as it took. */
const REST = 2;

export class Agenda {
  readonly #state: () => SpaceState;
  /** Keyframes of a live stream do not wait for a rebuild that takes longer than this. */
  readonly #followMs: number;
  /** Quiet time after the last photo before everything is refined once more, at least. */
  readonly #settleMs: number;
  /** Processed photos at the last rebuild that failed or was cancelled: not tried again before the next photo. */
  #gaveUpAt = -1;
  #advised = false;
  /** A thorough rebuild may place more photos. */
  #unsure = false;
  #lastRebuildMs = 0;
  /** For each photo, of the last rebuild, or longer where one was let go; before the first, what placing one takes. */
  #rebuildEachMs: number | undefined;
  #placeEachMs: number | undefined;
  /** Photos of a live stream were placed without their dense points: the next rebuild makes them. */
  #owesPoints = false;
  /** Till then keyframes of a stream have no points of their own: a third of the time is enough for these. */
  #restsUntilMs = 0;

  constructor(state: () => SpaceState, { followMs, settleMs }: { followMs: number; settleMs: number }) {
    this.#state = state;
    this.#followMs = followMs;
    this.#settleMs = settleMs;
  }

  nextPhoto(): ImageState | undefined {
    return this.#state().settings.reconstruct ? this.#waiting() : undefined;
  }

  /** The oldest without a verdict, but for one. */
  photoAfter({ image }: ImageState): ImageState | undefined {
    return this.#waiting(image);
  }

  processed(): number {
    return processedPhotos(this.#state());
  }

  /** Exactly after every `rebuildEvery`th photo, also when a crash came between the photo and its rebuild. */
  rebuildDue(): boolean {
    const { generation, settings } = this.#state();
    const processed = this.processed();
    if (generation === 0 || processed === this.#gaveUpAt) return false;
    return (this.#advised && settings.rebuildWhenIdle) || this.#dueAfter(processed);
  }

  /** Whether one is done as soon as the photo in hand has its verdict. */
  rebuildFollows(): boolean {
    return this.#dueAfter(this.processed() + 1) && !this.follows();
  }

  /** The last photo is of a live stream, whose model should follow it: what takes long is done when it pauses. */
  follows(): boolean {
    const last = Object.values(this.#state().images).at(-1);
    if (!last?.sequence?.startsWith(STREAM)) return false;
    const processed = this.processed();
    const expectedMs = processed * (this.#rebuildEachMs ?? this.#placeEachMs ?? 0);
    if (expectedMs <= this.#followMs && !this.#owesPoints) return false;
    return processed < Math.max(MOST_UNREFINED, 2 * this.#refined());
  }

  /**
   * A live stream's next photo waits already, or one was just kept waiting for points: where the camera is comes before
   * points that a rebuild makes anyway.
   */
  isBehind(image: ImageState): boolean {
    if (!image.sequence?.startsWith(STREAM) || !this.#state().settings.rebuildWhenIdle) return false;
    return performance.now() < this.#restsUntilMs || this.photoAfter(image) !== undefined;
  }

  /** Photos came since everything was last refined together, or more can be made of those that are there. */
  unsettled(): boolean {
    const state = this.#state();
    const processed = this.processed();
    if (!state.settings.rebuildWhenIdle || processed === this.#gaveUpAt) return false;
    if (state.generation === 0) return owesFirstLook(state);
    return processed > this.#refined() || this.#unsure;
  }

  /** How long no photo may come before all is refined once more. */
  get quietMs(): number {
    return Math.max(this.#settleMs, 2 * this.#lastRebuildMs);
  }

  /** @param dense the photo was to have points of its own, but for the sparse ones */
  placed(tookMs: number, { isBehind, dense, advised }: { isBehind: boolean; dense: boolean; advised: boolean }): void {
    if (!isBehind) this.#restsUntilMs = performance.now() + REST * tookMs;
    this.#placeEachMs = this.#placeEachMs === undefined ? tookMs : (3 * this.#placeEachMs + tookMs) / 4;
    this.#owesPoints ||= isBehind && dense;
    this.#advised ||= advised;
  }

  /** @param unsure more can be made of the same photos */
  rebuilt(tookMs: number, unsure: boolean): void {
    // A replay just before it may have advised what is done now.
    this.#advised = false;
    this.#unsure = unsure;
    this.#lastRebuildMs = tookMs;
    this.#rebuildEachMs = tookMs / Math.max(1, this.processed());
    this.#owesPoints = false;
    this.#restsUntilMs = 0;
  }

  /** A photo came before it was done. */
  paused(afterMs: number): void {
    this.#rebuildEachMs = Math.max(this.#rebuildEachMs ?? 0, afterMs / Math.max(1, this.processed()));
  }

  advise(): void {
    this.#advised = true;
  }

  /** What was advised is about to be done. */
  began(): void {
    this.#advised = false;
  }

  ended(done: boolean): void {
    this.#gaveUpAt = done ? -1 : this.processed();
  }

  /** An earlier generation is shown: what was to be made of the later one is not wanted. */
  wentBack(): void {
    this.#advised = false;
    this.#unsure = false;
  }

  #waiting(but?: string): ImageState | undefined {
    for (const image of Object.values(this.#state().images)) if (!image.verdict && image.image !== but) return image;
    return undefined;
  }

  #refined(): number {
    return shownGeneration(this.#state())?.published?.refined ?? 0;
  }

  #dueAfter(processed: number): boolean {
    const { generation, settings } = this.#state();
    const every = settings.rebuildEvery;
    return generation > 0 && Math.floor(processed / every) > Math.floor(this.#refined() / every);
  }
}
