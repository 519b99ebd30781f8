/**
 * Notes down what strangers can cause as often as they like: each while they are few, and of a flood the newest now and
 * then with how many there were in between. So the log grows by so much and no more.
 */
import { Budget } from "../clock/budget.ts";
import type { ControlClock } from "./control-clock.ts";

const PER_S = 0.2;
const BURST = 20;
const REST_MS = 5000;

export class SeldomJournal<Note extends { more?: number }> {
  readonly #budget: Budget;
  readonly #clock: ControlClock;
  readonly #write: (note: Note) => void;
  #untold = 0;
  #newest: Note | undefined;
  #cancel: (() => void) | undefined;

  constructor(clock: ControlClock, write: (note: Note) => void, perS = PER_S, burst = BURST) {
    this.#clock = clock;
    this.#budget = new Budget(perS, burst, clock);
    this.#write = write;
  }

  note(note: Note): void {
    if (this.#budget.take()) {
      this.#tell(note);
      return;
    }
    this.#untold++;
    this.#newest = note;
    this.#cancel ??= this.#clock.after(REST_MS, () => this.flush());
  }

  /** The rest is noted down now. */
  flush(): void {
    if (!this.#newest) return;
    this.#untold--;
    this.#tell(this.#newest);
  }

  #tell(note: Note): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#newest = undefined;
    const more = this.#untold;
    this.#untold = 0;
    this.#write(more > 0 ? { ...note, more } : note);
  }
}
