/**
 * The message bus: publishes to RabbitMQ with confirms and hears what other services say. The broker may be away at any
 * time: nothing waits for it but a bounded number of messages, and what was sent without having been answered is sent
 * again, so that a message arrives at least once. What the broker refuses is dropped.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, IllegalOperationError } from "amqplib";
import { asWritten } from "./exact-headers.ts";
import { EXCHANGES, type Exchange, type ExchangeNames } from "./exchanges.ts";
import { brokerAddress, keepLine } from "./line.ts";
import { type Headers, type Outgoing, Waiting, type WaitingLimits } from "./waiting.ts";

export type BusOptions = {
  /** `amqp://user:password@host:5672/vhost` */
  readonly url: string;
  readonly names: ExchangeNames;
  /** Goes with every message as the header `cairn_node`: own messages are not heard again (HUB-79). */
  readonly node: string;
  /** The line is down, or a message could not be handled. */
  readonly onTrouble: (message: string) => void;
  /** A message is about to be published: headers that go along, and whom to tell when it is confirmed or dropped. */
  readonly trace?: ((exchange: Exchange) => PublishTrace) | undefined;
};

type PublishTrace = {
  readonly headers: Readonly<Record<string, string>>;
  end(problem?: string): void;
};

export type PublishOptions = {
  readonly contentType: string;
  readonly headers?: Headers;
  /** A picture, which is dropped first when too much waits. */
  readonly sheddable?: boolean;
};

/** A message from another service. The body is bytes as they came: JSON would lose digits of 64-bit numbers. */
export type Incoming = {
  readonly body: Buffer;
  readonly contentType: string | undefined;
  /** A 64-bit integer that a double has not the digits for is a bigint. */
  readonly headers: Readonly<Record<string, unknown>>;
};

export type BusStats = {
  readonly connected: boolean;
  readonly waiting: number;
  /** Confirmed by the broker, by exchange. */
  readonly published: Readonly<Record<string, number>>;
  readonly dropped: number;
  /** Came and could not be read (HUB-83). */
  readonly rejected: number;
};

/** While the broker is away (HUB-78). */
const AWAY = { messages: 1000, bytes: 64 * 2 ** 20 };
/** While it is there: what one turn may put before it. */
const THERE = { messages: 20_000, bytes: 64 * 2 ** 20 };
const UNCONFIRMED = { messages: 1024, bytes: 16 * 2 ** 20 };
/** Messages of one exchange that are being handled. */
const PREFETCH = 64;
const CLOSE_MS = 2000;

type Handler = (message: Incoming) => void | Promise<void>;

export class Bus {
  readonly #options: BusOptions;
  readonly #waiting = new Waiting();
  readonly #unconfirmed = new Set<Outgoing>();
  #unconfirmedBytes = 0;
  readonly #handlers = new Map<Exchange, Handler>();
  #channel: ConfirmChannel | undefined;
  #model: ChannelModel | undefined;
  /** Exchanges that the broker has otherwise than we need them; until the line comes up anew. */
  readonly #unusable = new Set<Exchange>();
  /** Exchanges of which the broker has refused a message, and that is said; until the line comes up anew. */
  readonly #refused = new Set<Exchange>();
  readonly #published = new Map<Exchange, number>();
  #dropped = 0;
  #rejected = 0;
  #pumpPlanned = false;
  /** Whoever waits until nothing waits. */
  readonly #idle = new Set<() => void>();
  readonly #end = new AbortController();
  readonly #line: Promise<void>;

  /** @throws {RangeError} a URL that is none */
  constructor(options: BusOptions) {
    this.#options = options;
    const address = brokerAddress(options.url);
    this.#line = keepLine(
      address,
      {
        up: (model) => this.#up(model),
        down: () => this.#down(),
        trouble: (message) => options.onTrouble(`RabbitMQ at ${address.host}:${address.port}: ${message}`),
      },
      this.#end.signal,
    );
  }

  get connected(): boolean {
    return this.#channel !== undefined;
  }

  get stats(): BusStats {
    return {
      connected: this.connected,
      waiting: this.#waiting.size + this.#unconfirmed.size,
      published: Object.fromEntries(this.#published),
      dropped: this.#dropped,
      rejected: this.#rejected,
    };
  }

  /** Never waits and never fails: it is on its way, or it is counted as dropped (HUB-80). */
  publish(exchange: Exchange, body: Uint8Array | string, options: PublishOptions): void {
    if (this.#end.signal.aborted) return;
    const { contentType, headers = {}, sheddable = false } = options;
    const bytes =
      typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const trace = this.#options.trace?.(exchange);
    const all = trace ? { ...headers, ...trace.headers } : headers;
    this.#waiting.add({ exchange, body: bytes, contentType, headers: all, sheddable, ...(trace && { trace }) });
    this.#trim(this.connected ? THERE : AWAY);
    this.#plan();
  }

  #trim(limits: WaitingLimits): void {
    for (const message of this.#waiting.trim(limits)) this.#drop(message);
  }

  /** A queue that takes no more, as a rule: sent again it would be refused again, and doubled for all the others. */
  #refuse(message: Outgoing): void {
    const { exchange } = message;
    this.#drop(message);
    if (this.#refused.has(exchange)) return;
    this.#refused.add(exchange);
    const name = this.#options.names[exchange];
    this.#options.onTrouble(`the broker refused a message to ${name}: is a queue that is bound to it full?`);
  }

  #drop({ trace }: Outgoing): void {
    this.#dropped++;
    trace?.end("dropped");
  }

  /**
   * Hears an exchange through a queue of one's own (HUB-79). A message whose handler fails is acknowledged, counted and
   * gone (HUB-83): the next delivery would fail as well. Messages of one exchange are handled one after the other.
   */
  async consume(exchange: Exchange, handler: Handler): Promise<void> {
    if (this.#handlers.has(exchange)) throw new RangeError(`${exchange} is heard already`);
    this.#handlers.set(exchange, handler);
    const model = this.#model;
    if (!model) return;
    try {
      await this.#hear(model, exchange, handler);
    } catch (error) {
      // The line is breaking, and the next one brings it.
      this.#options.onTrouble(error instanceof Error ? error.message : String(error));
      anew(model);
    }
  }

  /** Everything that was published is confirmed, or `signal` ends the wait. */
  async settled(signal?: AbortSignal): Promise<void> {
    while (this.#waiting.size + this.#unconfirmed.size > 0 && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const go = () => {
          this.#idle.delete(go);
          signal?.removeEventListener("abort", go);
          resolve();
        };
        this.#idle.add(go);
        signal?.addEventListener("abort", go);
      });
    }
  }

  /** Gives what is on its way two seconds, then takes the line down; a broker that does not answer is not waited for. */
  async close(): Promise<void> {
    if (this.connected) await this.settled(AbortSignal.timeout(CLOSE_MS));
    this.#end.abort();
    await Promise.race([this.#line, delay(CLOSE_MS, undefined, { ref: false })]);
  }

  async #up(model: ChannelModel): Promise<void> {
    this.#unusable.clear();
    this.#refused.clear();
    for (const exchange of EXCHANGES) await this.#declare(model, exchange);
    const channel = await model.createConfirmChannel();
    // A channel that dies alone (someone deleted an exchange) takes the line with it: coming up declares all anew.
    const broken = (error: Error) => this.#options.onTrouble(error.message);
    channel.on("error", broken);
    channel.on("close", () => anew(model));
    // Before the library's own listener, which says of every message that it failed: so they wait, and are not refused.
    channel.prependListener("close", () => {
      if (this.#channel === channel) this.#down();
    });
    for (const [exchange, handler] of this.#handlers) await this.#hear(model, exchange, handler);
    this.#model = model;
    this.#channel = channel;
    this.#pump();
  }

  #down(): void {
    this.#channel = undefined;
    this.#model = undefined;
    // In the order in which they were sent. Some may have arrived: at least once, not at most once.
    this.#waiting.putBack([...this.#unconfirmed]);
    this.#unconfirmed.clear();
    this.#unconfirmedBytes = 0;
    this.#trim(AWAY);
  }

  /** On a channel of its own: a broker that has it otherwise answers by closing the channel. */
  async #declare(model: ChannelModel, exchange: Exchange): Promise<void> {
    const name = this.#options.names[exchange];
    const channel = await model.createChannel();
    let reason = "";
    channel.on("error", (error: Error) => {
      reason = error.message;
    });
    try {
      await channel.assertExchange(name, "fanout", { durable: true });
      await channel.close();
    } catch (error) {
      if (reason === "") throw error;
      this.#unusable.add(exchange);
      this.#options.onTrouble(`exchange ${name} is not used: it exists, but is not fanout and durable (${reason})`);
    }
  }

  async #hear(model: ChannelModel, exchange: Exchange, handler: Handler): Promise<void> {
    if (this.#unusable.has(exchange)) return;
    const channel = await model.createChannel();
    channel.on("error", (error: Error) => this.#options.onTrouble(error.message));
    // One that the broker closes alone, as after a message that was handled for half an hour, would never be heard again.
    channel.on("close", () => anew(model));
    await channel.prefetch(PREFETCH);
    const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true });
    await channel.bindQueue(queue, this.#options.names[exchange], "");
    let last = Promise.resolve();
    await channel.consume(queue, (message) => {
      if (message === null) return anew(model); // the queue was deleted
      last = last.then(async () => {
        await this.#handle(message, handler);
        try {
          channel.ack(message);
        } catch {
          // The channel is gone, and the message with it: it was exclusively ours.
        }
      });
    });
  }

  async #handle({ content, properties }: ConsumeMessage, handler: Handler): Promise<void> {
    const headers = (properties.headers ?? {}) as Record<string, unknown>;
    if (headers.cairn_node === this.#options.node) return;
    try {
      await handler({ body: content, contentType: properties.contentType as string | undefined, headers });
    } catch (error) {
      this.#rejected++;
      this.#options.onTrouble(`a message was not readable: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Messages of one turn go together. */
  #plan(): void {
    if (this.#pumpPlanned) return;
    this.#pumpPlanned = true;
    queueMicrotask(() => {
      this.#pumpPlanned = false;
      this.#pump();
    });
  }

  #pump(): void {
    const channel = this.#channel;
    while (channel && this.#unconfirmed.size < UNCONFIRMED.messages && this.#unconfirmedBytes < UNCONFIRMED.bytes) {
      const message = this.#waiting.take();
      if (!message) break;
      if (this.#unusable.has(message.exchange)) this.#drop(message);
      else this.#send(channel, message);
    }
    if (this.#waiting.size + this.#unconfirmed.size === 0) for (const go of [...this.#idle]) go();
  }

  #send(channel: ConfirmChannel, message: Outgoing): void {
    const { exchange, body, contentType, headers, sheddable } = message;
    this.#unconfirmed.add(message);
    this.#unconfirmedBytes += body.length;
    const options = {
      contentType,
      headers: asWritten({ ...headers, cairn_node: this.#options.node }),
      persistent: !sheddable,
    };
    const confirmed = (error: unknown) => {
      // After the line broke it has been put back already.
      if (this.#channel !== channel || !this.#unconfirmed.delete(message)) return;
      this.#unconfirmedBytes -= body.length;
      if (error) this.#refuse(message);
      else {
        this.#published.set(exchange, (this.#published.get(exchange) ?? 0) + 1);
        message.trace?.end();
      }
      this.#plan();
    };
    try {
      channel.publish(this.#options.names[exchange], "", body, options, confirmed);
    } catch (error) {
      // The channel is closing; `#down` follows and puts back what is not confirmed.
      if (error instanceof IllegalOperationError || this.#channel !== channel) return;
      // It has no form on the wire, as headers longer than 64 KiB have none: nothing of it went out.
      this.#unconfirmed.delete(message);
      this.#unconfirmedBytes -= body.length;
      this.#drop(message);
      const problem = error instanceof Error ? error.message : String(error);
      this.#options.onTrouble(`a message to ${this.#options.names[exchange]} was dropped: ${problem}`);
    }
  }
}

/** Takes the line down: what comes up after it declares and hears everything. */
function anew(model: ChannelModel): void {
  model.close().catch(() => {}); // it is closing already
}
