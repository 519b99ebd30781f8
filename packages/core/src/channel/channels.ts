/** Signals: delivered now or never, bounded, never in the log. */
import { CairnError } from "@cairn/protocol";

export type Signal = { channel: string; from: string; data: unknown };

export interface Channels {
  /** Hands the signal to every subscriber of its channel but `from` itself. */
  publish(signal: Signal): void;
  /**
   * `listener` must not block: there is no queue here, so what it does not take at once is not kept for it.
   * `as` is the name under which the subscriber itself publishes. Returns how to stop.
   * @throws {CairnError} `request.invalid` for too many or too long names
   */
  subscribe(channels: readonly string[], listener: (signal: Signal) => void, as?: string): () => void;
  /** Hears every channel, after its subscribers. The same holds for `listener`. Returns how to stop. */
  hearAll(listener: (signal: Signal) => void): () => void;
}

const MAX_NAMES = 64;
const MAX_NAME_LENGTH = 128;

type Subscriber = { listener: (signal: Signal) => void; as: string | undefined };

/** Channels within one process. A listener that throws is told to `onError` and costs nobody else anything. */
export function createChannels(onError: (error: unknown) => void): Channels {
  const subscribers = new Map<string, Set<Subscriber>>();
  const hearers = new Set<Subscriber>();
  return {
    publish(signal) {
      for (const { listener, as } of [...(subscribers.get(signal.channel) ?? []), ...hearers]) {
        if (as !== undefined && as === signal.from) continue;
        try {
          listener(signal);
        } catch (error) {
          onError(error);
        }
      }
    },
    hearAll(listener) {
      const hearer = { listener, as: undefined };
      hearers.add(hearer);
      return () => hearers.delete(hearer);
    },
    subscribe(channels, listener, as) {
      const names = new Set(channels);
      if (names.size > MAX_NAMES || [...names].some((name) => name.length < 1 || name.length > MAX_NAME_LENGTH)) {
        throw new CairnError("request.invalid", { field: "/channels", problem: "too many, or a name is too long" });
      }
      const subscriber = { listener, as };
      for (const name of names) {
        const those = subscribers.get(name) ?? new Set();
        subscribers.set(name, those.add(subscriber));
      }
      return () => {
        for (const name of names) {
          const those = subscribers.get(name);
          those?.delete(subscriber);
          if (those?.size === 0) subscribers.delete(name);
        }
      };
    },
  };
}
