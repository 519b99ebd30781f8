/** Signals: delivered now or never, bounded, never in the log. */
export type Signal = { channel: string; from: string; data: unknown };

export interface Channels {
  /** Hands the signal to every subscriber of its channel but `from` itself. */
  publish(signal: Signal): void;
  /** `listener` must not block. Returns how to stop. */
  subscribe(channels: readonly string[], listener: (signal: Signal) => void): () => void;
}
