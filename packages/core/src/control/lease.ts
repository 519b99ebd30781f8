/** The right to steer one device, of one holder who has to show that they are there. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { type LeaseKey, MISSED_HEARTBEATS } from "@cairn/protocol";
import type { ControlClock } from "./control-clock.ts";

export type LeaseFacts = { readonly number: number; readonly holder: string; readonly heartbeatMs: number };

export class Lease {
  readonly number: number;
  readonly holder: string;
  readonly heartbeatMs: number;
  /** Told to the holder once; what is kept is its digest, so that no list, log or dump shows it. */
  readonly #digest: Buffer;
  readonly #clock: ControlClock;
  readonly #onExpired: () => void;
  #heardNs: bigint;
  #cancel: () => void;

  /** @param secret made by {@link newSecret} */
  constructor({ number, holder, heartbeatMs }: LeaseFacts, secret: string, clock: ControlClock, onExpired: () => void) {
    this.number = number;
    this.holder = holder;
    this.heartbeatMs = heartbeatMs;
    this.#digest = digest(secret);
    this.#clock = clock;
    this.#onExpired = onExpired;
    this.#heardNs = clock.steadyNs();
    this.#cancel = this.#watch(heartbeatMs * MISSED_HEARTBEATS);
  }

  /** Takes as long for a wrong secret as for the right one. */
  fits({ lease, secret }: LeaseKey): boolean {
    return timingSafeEqual(digest(secret), this.#digest) && lease === this.number;
  }

  /** The holder was heard of. */
  keep(): void {
    this.#heardNs = this.#clock.steadyNs();
  }

  /** By the steady clock: to set the other one neither ends a lease nor prolongs it. */
  get remainingMs(): number {
    const silentMs = Number(this.#clock.steadyNs() - this.#heardNs) / 1e6;
    return Math.max(0, this.heartbeatMs * MISSED_HEARTBEATS - silentMs);
  }

  end(): void {
    this.#cancel();
  }

  #watch(delayMs: number): () => void {
    return this.#clock.after(delayMs, () => {
      const { remainingMs } = this;
      if (remainingMs === 0) this.#onExpired();
      else this.#cancel = this.#watch(remainingMs);
    });
  }
}

export function newSecret(): string {
  return randomBytes(32).toString("base64url");
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
