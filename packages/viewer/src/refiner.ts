/**
 * Makes a still view finer: when a picture is on the screen and nothing has moved for a moment, says what it cost the
 * GPU, so that the next one may have more points. A machine that was too busy for more is asked again, ever less often.
 */

/** From a picture to the finer one that follows it, at least. */
const PAUSE_MS = 300;
/** The GPU is asked so often whether it is done; waiting for it would hold up everything. */
const LOOK_MS = 15;
/** A picture that seems to have cost more may have waited for others: it is drawn again, alone, so often at most. */
const DEAR_MS = 400;
const REPEATS = 2;
/** Where there is more to show than a picture may cost, it is drawn again after so long, then twice that, and so on. */
const AGAIN_MS = 4000;
const AGAIN_TIMES = 6;

export class Refiner {
  readonly #gl: WebGL2RenderingContext;
  readonly #refine: (costMs: number) => boolean;
  readonly #repeat: () => void;
  #repeats = 0;
  #leastMs = Number.POSITIVE_INFINITY;
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #fence: WebGLSync | null = null;

  /** @param refine is told what a picture cost, and says whether that was too much for more @param repeat has the same picture drawn again */
  constructor(gl: WebGL2RenderingContext, refine: (costMs: number) => boolean, repeat: () => void) {
    this.#gl = gl;
    this.#refine = refine;
    this.#repeat = repeat;
  }

  /** A picture of a still view was just drawn. */
  drawn(begunMs: number): void {
    this.stop();
    const gl = this.#gl;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    if (!fence) return;
    this.#fence = fence;
    gl.flush();
    const look = () => {
      if (gl.isContextLost()) return this.stop();
      const nowMs = performance.now();
      if (gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) {
        this.#timer = setTimeout(look, LOOK_MS);
        return;
      }
      this.#timer = setTimeout(
        () => {
          this.stop();
          this.#leastMs = Math.min(this.#leastMs, nowMs - begunMs);
          if (this.#leastMs > DEAR_MS && this.#repeats++ < REPEATS) return this.#repeat();
          const costMs = this.#leastMs;
          this.#forget();
          if (!this.#refine(costMs) || this.#asked >= AGAIN_TIMES) return;
          this.#again = setTimeout(this.#repeat, AGAIN_MS * 2 ** this.#asked++);
        },
        Math.max(0, PAUSE_MS - (nowMs - begunMs)),
      );
    };
    this.#timer = setTimeout(look, LOOK_MS);
  }

  /** The picture that was drawn is not yet judged. */
  get waiting(): boolean {
    return this.#timer !== undefined;
  }

  /** The next picture is another one. */
  changed(): void {
    this.#forget();
    this.#asked = 0;
  }

  #forget(): void {
    this.#repeats = 0;
    this.#leastMs = Number.POSITIVE_INFINITY;
  }

  /** Something moves, or another picture is drawn. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#timer = undefined;
    if (this.#fence) this.#gl.deleteSync(this.#fence);
    this.#fence = null;
  }
}
