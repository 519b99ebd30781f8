/**
 * Which photos without a place are tried again after another one has come. To try all each time costs more with every
 * photo that waits; so those are tried that have more to go by than when they were refused, and a few others in turn.
 */
import type { RegistrationRule } from "./register.ts";

/** Worth another try at once: so many times the points, and so many more. */
const MORE_POINTS = 1.2;
const MORE_BY = 5;
/** Tries after one photo, beside that of photos that never had one; so many of them in turn. */
const TRIES = 8;
const IN_TURN = 4;

type Refusal = { readonly points: number; readonly rule: RegistrationRule; readonly turn: number };

export class Retries {
  #refusals = new Map<number, Refusal>();
  #inTurn = new Set<number>();
  #turn = 0;
  #left = 0;

  /** Another photo has come. */
  next(): void {
    this.#turn++;
    this.#left = TRIES;
    const longest = [...this.#refusals].sort(([p, a], [q, b]) => a.turn - b.turn || p - q).slice(0, IN_TURN);
    this.#inTurn = new Set(longest.map(([view]) => view));
  }

  /** @param points of the scene that the view's features are matched with */
  isDue(view: number, points: number, rule: RegistrationRule): boolean {
    const last = this.#refusals.get(view);
    if (!last) return true;
    if (this.#left <= 0) return false;
    const more = points >= MORE_POINTS * last.points && points >= last.points + MORE_BY;
    return more || rule !== last.rule || (this.#inTurn.has(view) && last.turn < this.#turn);
  }

  refused(view: number, points: number, rule: RegistrationRule): void {
    if (this.#refusals.has(view)) this.#left--;
    this.#refusals.set(view, { points, rule, turn: this.#turn });
  }

  /** @returns forgets what was tried since */
  mark(): () => void {
    const [refusals, inTurn, turn, left] = [[...this.#refusals], this.#inTurn, this.#turn, this.#left];
    return () => {
      this.#refusals = new Map(refusals);
      [this.#inTurn, this.#turn, this.#left] = [inTurn, turn, left];
    };
  }

  /** It has a place, or something about it has changed. */
  forget(view: number): void {
    this.#refusals.delete(view);
  }
}
