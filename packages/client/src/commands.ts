/** Commands that wait for their answer. After a reconnect they are sent again under the same id: done once all the same. */
import type { CairnError, ErrorFacts } from "@cairn/protocol";

type Waiting = {
  message: string | Uint8Array<ArrayBuffer>;
  resolve: (result: ErrorFacts) => void;
  reject: (reason: unknown) => void;
};

export class Commands {
  readonly #waiting = new Map<string, Waiting>();
  readonly #send: (message: string | Uint8Array<ArrayBuffer>) => boolean;

  constructor(send: (message: string | Uint8Array<ArrayBuffer>) => boolean) {
    this.#send = send;
  }

  /** Resolves with the server's answer. @throws {CairnError} the server's; the signal's reason */
  run(id: string, message: string | Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<ErrorFacts> {
    const abort = () => this.#take(id)?.reject(signal?.reason);
    return new Promise<ErrorFacts>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.set(id, { message, resolve, reject });
      this.#send(message);
    }).finally(() => signal?.removeEventListener("abort", abort));
  }

  resend(): void {
    for (const { message } of this.#waiting.values()) this.#send(message);
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

  fail(reason: CairnError): void {
    for (const id of [...this.#waiting.keys()]) this.refuse(id, reason);
  }

  #take(id: string): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
