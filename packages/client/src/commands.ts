/** Commands that wait for their answer. After a reconnect they are sent again under the same id: done once all the same. */
import { CairnError, type ErrorFacts } from "@cairn/protocol";

export type CommandOptions = {
  signal?: AbortSignal | undefined;
  /** Now or never: refused at once without a connection, and when it breaks before the answer. */
  once?: boolean;
};

type Waiting = {
  message: string | Uint8Array<ArrayBuffer>;
  once: boolean;
  resolve: (result: ErrorFacts) => void;
  reject: (reason: unknown) => void;
};

export class Commands {
  readonly #waiting = new Map<string, Waiting>();
  readonly #send: (message: string | Uint8Array<ArrayBuffer>) => boolean;
  /** Why there will be no answer any more. */
  #ended: CairnError | undefined;

  constructor(send: (message: string | Uint8Array<ArrayBuffer>) => boolean) {
    this.#send = send;
  }

  /** Resolves with the server's answer. @throws {CairnError} the server's, `live.away`; the signal's reason */
  run(
    id: string,
    message: string | Uint8Array<ArrayBuffer>,
    { signal, once = false }: CommandOptions = {},
  ): Promise<ErrorFacts> {
    const abort = () => this.#take(id)?.reject(signal?.reason);
    return new Promise<ErrorFacts>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#ended) return reject(this.#ended);
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.set(id, { message, once, resolve, reject });
      if (!this.#send(message) && once) this.refuse(id, new CairnError("live.away"));
    }).finally(() => signal?.removeEventListener("abort", abort));
  }

  resend(): void {
    for (const { message } of this.#waiting.values()) this.#send(message);
  }

  /** The connection broke. */
  broken(): void {
    for (const [id, { once }] of this.#waiting) if (once) this.refuse(id, new CairnError("live.away"));
  }

  answer(id: string, result: ErrorFacts): void {
    this.#take(id)?.resolve(result);
  }

  /** False when nobody waits for `id`. */
  refuse(id: string, error: CairnError): boolean {
    const waiting = this.#take(id);
    waiting?.reject(error);
    return waiting !== undefined;
  }

  /** Closed for good: those that wait are refused, and those to come. */
  end(reason: CairnError): void {
    this.#ended = reason;
    for (const id of [...this.#waiting.keys()]) this.refuse(id, reason);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
