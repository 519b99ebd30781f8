/**
 * What waits to be published. Facts (poses, samples of motion) go before pictures, and pictures are shed first, oldest
 * first, when too much waits: a late picture is worth nothing, a missing pose is a hole.
 */
import type { Exchange } from "./exchanges.ts";

export type Headers = Readonly<Record<string, string | number | bigint>>;

export type Outgoing = {
  readonly exchange: Exchange;
  readonly body: Buffer;
  readonly contentType: string;
  readonly headers: Headers;
  /** A picture: dropped first. */
  readonly sheddable: boolean;
  readonly trace?: { end(problem?: string): void };
};

export type WaitingLimits = { readonly messages: number; readonly bytes: number };

export class Waiting {
  readonly #facts = new Line();
  readonly #pictures = new Line();
  #bytes = 0;

  get size(): number {
    return this.#facts.size + this.#pictures.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(message: Outgoing): void {
    this.#lineOf(message).push(message);
    this.#bytes += message.body.length;
  }

  /** Those that were on their way when the line broke, in their order: before all others. */
  putBack(messages: readonly Outgoing[]): void {
    for (const message of messages) this.#bytes += message.body.length;
    this.#facts.unshift(messages.filter(({ sheddable }) => !sheddable));
    this.#pictures.unshift(messages.filter(({ sheddable }) => sheddable));
  }

  /** The next to go, without taking it. */
  peek(): Outgoing | undefined {
    return this.#facts.peek() ?? this.#pictures.peek();
  }

  take(): Outgoing | undefined {
    const message = this.#facts.shift() ?? this.#pictures.shift();
    if (message) this.#bytes -= message.body.length;
    return message;
  }

  /** Drops until all is within the limits. @returns what was dropped */
  trim({ messages, bytes }: WaitingLimits): Outgoing[] {
    const dropped: Outgoing[] = [];
    while (this.size > messages || this.#bytes > bytes) {
      const message = this.#pictures.shift() ?? this.#facts.shift();
      if (!message) break;
      this.#bytes -= message.body.length;
      dropped.push(message);
    }
    return dropped;
  }

  #lineOf({ sheddable }: Outgoing): Line {
    return sheddable ? this.#pictures : this.#facts;
  }
}

/** First in, first out, without moving the rest at each turn. */
class Line {
  #items: Outgoing[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: Outgoing): void {
    this.#items.push(item);
  }

  unshift(items: readonly Outgoing[]): void {
    if (items.length === 0) return;
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  peek(): Outgoing | undefined {
    return this.#items[this.#head];
  }

  shift(): Outgoing | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
