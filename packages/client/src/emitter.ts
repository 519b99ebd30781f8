/** Typed listeners. One that throws is reported and does not keep the others from being told. */
export class Emitter<Events extends Record<string, unknown[]>> {
  readonly #listeners: { [Name in keyof Events]?: Set<(...args: Events[Name]) => void> } = {};

  /** Returns how to stop listening. */
  on<Name extends keyof Events>(name: Name, listener: (...args: Events[Name]) => void): () => void {
    const set: Set<(...args: Events[Name]) => void> = this.#listeners[name] ?? new Set();
    this.#listeners[name] = set.add(listener);
    return () => {
      set.delete(listener);
    };
  }

  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        // The program's own handler for uncaught errors sees it; the connection goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
