/**
 * Which layers are on the screen. A layer that takes another's place waits until enough of it is here, then both are
 * drawn for a moment, the one fading in and the other out; the picture is never empty in between.
 */

export type Fade = {
  /** Points whose random number is in `from`…`to` are drawn. */
  readonly from: number;
  readonly to: number;
};

const WHOLE: Fade = { from: 0, to: 1 };
const CROSSFADE_MS = 400;

export class Stage {
  readonly #fadeMs: () => number;
  #shown = new Set<number>();
  #target = new Set<number>();
  #targetGeneration = 0;
  #generation = 0;
  #waitingSinceMs: number | undefined;
  #fade: { incoming: Set<number>; outgoing: Set<number>; sinceMs: number } | undefined;

  constructor(reducedMotion: () => boolean = () => false) {
    this.#fadeMs = () => (reducedMotion() ? 0 : CROSSFADE_MS);
  }

  /** The generation whose layers are on the screen, or fading in. */
  get generation(): number {
    return this.#generation;
  }

  /** On the screen, also those that are fading. */
  get shown(): ReadonlySet<number> {
    return this.#shown;
  }

  /** To come in as soon as they are ready. */
  get waiting(): ReadonlySet<number> {
    return this.#fade ? new Set() : difference(this.#target, this.#shown);
  }

  get waitingSinceMs(): number | undefined {
    return this.#waitingSinceMs;
  }

  get fading(): boolean {
    return this.#fade !== undefined;
  }

  needs(layer: number): boolean {
    return this.#shown.has(layer) || this.#target.has(layer);
  }

  /** What the space's state wants to be shown. */
  aim(generation: number, layers: Iterable<number>): void {
    this.#target = new Set(layers);
    this.#targetGeneration = generation;
  }

  /** @param ready whether enough of these layers is here @returns whether what is shown changed, or goes on changing */
  step(nowMs: number, ready: (layers: ReadonlySet<number>) => boolean): boolean {
    if (this.#fade) {
      if (nowMs - this.#fade.sinceMs < this.#fadeMs()) return true;
      for (const layer of this.#fade.outgoing) this.#shown.delete(layer);
      this.#fade = undefined;
      this.step(nowMs, ready);
      return true;
    }
    const incoming = difference(this.#target, this.#shown);
    const outgoing = difference(this.#shown, this.#target);
    if (incoming.size === 0 && outgoing.size === 0) {
      this.#generation = this.#targetGeneration;
      this.#waitingSinceMs = undefined;
      return false;
    }
    if (outgoing.size > 0) {
      this.#waitingSinceMs ??= nowMs;
      if (!ready(incoming)) return false;
      this.#fade = { incoming, outgoing, sinceMs: nowMs };
    }
    for (const layer of incoming) this.#shown.add(layer);
    this.#generation = this.#targetGeneration;
    this.#waitingSinceMs = undefined;
    return true;
  }

  fadeOf(layer: number, nowMs: number): Fade {
    if (!this.#fade) return WHOLE;
    const t = Math.min(1, (nowMs - this.#fade.sinceMs) / Math.max(1, this.#fadeMs()));
    // First the new one comes, then the old one goes: where both are thin one would see through.
    if (this.#fade.incoming.has(layer)) return { from: 0, to: Math.min(1, t * 2) };
    if (this.#fade.outgoing.has(layer)) return { from: Math.max(0, t * 2 - 1), to: 1 };
    return WHOLE;
  }

  clear(): void {
    this.#shown = new Set();
    this.#target = new Set();
    this.#fade = undefined;
    this.#generation = 0;
    this.#waitingSinceMs = undefined;
  }
}

function difference(a: ReadonlySet<number>, b: ReadonlySet<number>): Set<number> {
  return new Set([...a].filter((value) => !b.has(value)));
}
