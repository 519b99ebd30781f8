/** What many sockets are sent is encoded and framed once. Bounded in bytes; whoever comes too late encodes again. */
import type { Signal, Space } from "@cairn/core";
import type { CairnEvent, Seq, ServerMessage } from "@cairn/protocol";
import { type Message, messageBytes, textMessage } from "./frames.ts";

export class SharedMessages {
  readonly #maxBytes: number;
  readonly #messages = new Map<string, { message: Message; sizeBytes: number }>();
  readonly #making = new Map<string, Promise<Message>>();
  readonly #signals = new WeakMap<Signal, Message>();
  #sizeBytes = 0;
  /** Messages encoded since the start: tests see that sockets at one place share. */
  encoded = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * `log` names the log and its epoch, `after` the reader's place. Only whole ranges are shared: they are the same for
   * everyone; where superseded events were left out, the message says from where on.
   */
  events(log: string, after: Seq, events: CairnEvent[]): Message {
    const last = events[events.length - 1]!.seq;
    const whole = last - after === events.length;
    if (!whole) return this.get(undefined, () => encode({ type: "events", after, events }));
    return this.get(`${log}/${after}-${last}`, () => encode({ type: "events", events }));
  }

  signal(signal: Signal): Message {
    const kept = this.#signals.get(signal);
    if (kept) return kept;
    const message = this.get(undefined, () => encode({ type: "signal", ...signal }));
    this.#signals.set(signal, message);
    return message;
  }

  get(key: string | undefined, make: () => Message): Message {
    const kept = key === undefined ? undefined : this.#messages.get(key);
    if (kept) return kept.message;
    const message = make();
    this.encoded++;
    if (key !== undefined) this.#keep(key, message);
    return message;
  }

  /** What is here already. */
  peek(key: string): Message | undefined {
    return this.#messages.get(key)?.message;
  }

  /** As `get`, for what must be read first; those who ask meanwhile share the one reading. */
  async load(key: string, read: () => Promise<Message>): Promise<Message> {
    const kept = this.#messages.get(key);
    if (kept) return kept.message;
    const making =
      this.#making.get(key) ??
      read()
        .then((message) => this.get(key, () => message))
        .finally(() => this.#making.delete(key));
    this.#making.set(key, making);
    return making;
  }

  #keep(key: string, message: Message): void {
    const sizeBytes = messageBytes(message);
    if (sizeBytes > this.#maxBytes) return;
    this.#messages.set(key, { message, sizeBytes });
    this.#sizeBytes += sizeBytes;
    for (const [old, { sizeBytes: oldBytes }] of this.#messages) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#messages.delete(old);
      this.#sizeBytes -= oldBytes;
    }
  }
}

/** Names a log and its epoch, for what is the same only there. */
export function placeOf({ id, log }: Space): string {
  return `${id}/${log.epoch}`;
}

export function encode(message: ServerMessage): Message {
  return textMessage(JSON.stringify(message));
}
