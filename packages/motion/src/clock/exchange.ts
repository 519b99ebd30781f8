/**
 * The four times of one question about the time: asked (own clock), heard and answered (the other's clock), answer
 * received (own clock). Either side of a socket may ask; the other answers at once.
 */

export type Exchange = {
  readonly askedNs: bigint;
  readonly heardNs: bigint;
  readonly answeredNs: bigint;
  readonly receivedNs: bigint;
};

/** As it goes over the wire; whoever answers has `ClockQuestion` and `answerClock` of the protocol. */
type Question = { readonly type: "clock"; readonly asked: string };

const TIME = /^[0-9]{1,19}$/;

/** Asks, and knows its own questions again: an answer counts once, and only one that was asked for. */
export class ClockAsker {
  readonly #now: () => bigint;
  readonly #open = new Set<string>();

  /** @param now never goes back */
  constructor(now: () => bigint) {
    this.#now = now;
  }

  ask(): Question {
    const asked = String(this.#now());
    this.#open.add(asked);
    // Answers that do not come are forgotten.
    for (const old of this.#open) {
      if (this.#open.size <= 16) break;
      this.#open.delete(old);
    }
    return { type: "clock", asked };
  }

  /** @returns undefined for what is no answer to an open question, or makes no sense */
  hear(message: Readonly<Record<string, unknown>>): Exchange | undefined {
    const receivedNs = this.#now();
    const { asked, heard, answered } = message;
    if (message.type !== "clock" || !isTime(asked) || !isTime(heard) || !isTime(answered)) return undefined;
    if (!this.#open.delete(asked)) return undefined;
    const exchange = { askedNs: BigInt(asked), heardNs: BigInt(heard), answeredNs: BigInt(answered), receivedNs };
    return exchange.answeredNs >= exchange.heardNs ? exchange : undefined;
  }
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && TIME.test(value);
}
