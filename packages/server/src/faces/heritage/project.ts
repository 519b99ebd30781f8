/**
 * One project as its sockets see it: follows the space's log once for all of them, and keeps the steps that are still
 * to be told. What it holds is read from the log again after a restart.
 */
import type { Space } from "@cairn/core";
import { ProjectProgress, type Step } from "./progress.ts";

/** Steps kept for sockets that are behind; one further behind begins again with a block. */
const KEPT_STEPS = 2000;

export class Project {
  readonly space: Space;
  readonly progress = new ProjectProgress();
  /** Sockets that are open on it. */
  clients = 0;
  readonly #steps: Step[] = [];
  /** Number of the first step that is kept. */
  #from = 0;
  readonly #waiting = new Set<() => void>();
  /** Resolves when the log has been read up to where it was when the project was opened. */
  readonly ready: Promise<void>;

  constructor(space: Space, onError: (error: unknown) => void) {
    this.space = space;
    this.ready = new Promise((resolve, reject) => {
      const { head } = space.log;
      if (head === 0) resolve();
      this.#follow(head, resolve).catch((error: unknown) => {
        reject(error instanceof Error ? error : new Error(String(error)));
        if (!space.signal.aborted) onError(error);
      });
    });
    this.ready.catch(() => {}); // told to those who wait for it
  }

  /** Where the next step will be. */
  get position(): number {
    return this.#from + this.#steps.length;
  }

  /** The step at a position; `undefined` when it has not come, or is not kept any more. */
  at(position: number): Step | undefined {
    return this.#steps[position - this.#from];
  }

  isKept(position: number): boolean {
    return position >= this.#from;
  }

  /** Whether a full reconstruction comes after a position. */
  hasFullAfter(position: number): boolean {
    const found = this.#steps.findLastIndex((step) => step.kind === "processed" && step.full);
    return found >= 0 && this.#from + found > position;
  }

  /** Calls back at the next step. @returns stops that */
  onStep(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  async #follow(head: number, caughtUp: () => void): Promise<void> {
    const { log, signal } = this.space;
    for await (const events of log.follow(0, { signal })) {
      for (const event of events) {
        const steps = this.progress.apply(event);
        // What came before anybody listened is in the block.
        if (event.seq > head) this.#steps.push(...steps);
        if (event.seq === head) caughtUp();
      }
      const gone = this.#steps.length - KEPT_STEPS;
      if (gone > 0) {
        this.#steps.splice(0, gone);
        this.#from += gone;
      }
      for (const tell of this.#waiting) tell();
    }
  }
}
