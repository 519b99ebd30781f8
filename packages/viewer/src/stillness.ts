/** Says when a picture has come to rest, and at once when it no longer is. */

/** While something is on its way that asks for no frame, it is looked at so often whether all is here. */
const LOOK_MS = 100;

type StillnessOptions = {
  isStill(): boolean;
  /** A frame is on its way, after which `look` is called anyway. */
  awaitsFrame(): boolean;
  onChange(still: boolean): void;
};

export class Stillness {
  readonly #options: StillnessOptions;
  #was = false;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: StillnessOptions) {
    this.#options = options;
  }

  /** To be called whenever something changed that it depends on. */
  look(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const { isStill, awaitsFrame, onChange } = this.#options;
    const now = isStill();
    if (!now && !awaitsFrame()) this.#timer = setTimeout(() => this.look(), LOOK_MS);
    if (now === this.#was) return;
    this.#was = now;
    onChange(now);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
