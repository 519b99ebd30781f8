/** A value that a page shows and something outside of React changes; drawn at most once a frame. */
import { useEffect, useState } from "react";

export abstract class Store<State extends object> {
  #state: State;
  readonly #listeners = new Set<() => void>();

  constructor(state: State) {
    this.#state = state;
  }

  /** Replaced at each change. */
  get state(): State {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** For good. */
  abstract stop(): void;

  protected set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/**
 * Makes a store when the component appears or `make` changes, and stops it afterwards. `undefined` until the first effect.
 * @param make memoised
 */
export function useStore<State extends object, S extends Store<State>>(
  make: (() => S) | undefined,
): { store: S; state: S["state"] } | undefined {
  const [open, setOpen] = useState<{ store: S; state: S["state"] }>();
  useEffect(() => {
    if (!make) return setOpen(undefined);
    const store = make();
    let frame = 0;
    const render = () => {
      frame = 0;
      setOpen({ store, state: store.state });
    };
    const off = store.subscribe(() => {
      frame ||= requestAnimationFrame(render);
    });
    render();
    return () => {
      off();
      cancelAnimationFrame(frame);
      store.stop();
    };
  }, [make]);
  return open;
}
