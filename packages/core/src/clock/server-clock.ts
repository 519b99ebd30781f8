/**
 * The one time base of a server: the system's clock, corrected by time servers where it may ask them, never running
 * backwards. Rules HUB-98 to HUB-100.
 */
import { DeviceClocks } from "./device-clocks.ts";
import { askSntp, type SntpAnswer } from "./sntp.ts";
import { type SystemTime, WallClock } from "./wall-clock.ts";

/** Asked in this order, after those that the operator named. */
export const TIME_SERVERS: readonly string[] = [
  "pool.ntp.org",
  "1.pool.ntp.org",
  "2.pool.ntp.org",
  "time.google.com",
  "time.cloudflare.com",
  "time.windows.com",
  "time.apple.com",
];

export type ClockOptions = {
  /** Time servers, `host` or `host:port`, the first that answers counts; none: the system's clock is taken as it is. */
  readonly servers?: readonly string[];
  readonly everyMs?: number;
  readonly timeoutMs?: number;
  readonly system?: SystemTime;
  /** Told why, server by server, when none answers and one did before, or none ever did; once until one answers. */
  readonly onUnanswered?: (why: readonly string[]) => void;
};

export type ClockStatus = {
  /** Added to the system's clock: 0 before a server has answered, then the last that was known. */
  readonly offsetNs: bigint;
  /** The last round of questions was answered. */
  readonly synced: boolean;
  readonly server?: string;
  readonly lastSyncNs?: bigint;
  /** How far the offset may have been off when it was found: half of the round trip. */
  readonly uncertaintyNs?: bigint;
};

/** While a time is ahead of what it should be it goes on at this part of the pace, and is never set back. */
const CATCHING_UP = 2n;
/** What was measured once grows vague at this rate, as a clock without care does. */
const DRIFT_PPM = 50n;

export class ServerClock {
  readonly #options: Required<Pick<ClockOptions, "servers" | "everyMs" | "timeoutMs">> & ClockOptions;
  readonly #wall: WallClock;
  /** The clocks of devices against this one. */
  readonly devices: DeviceClocks;
  readonly #closed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #offsetNs = 0n;
  #status: { synced: boolean; server?: string; lastSyncNs?: bigint; uncertaintyNs?: bigint } = { synced: false };
  #complained = false;
  /** What was last told, and when by the steady clock. */
  #toldNs = 0n;
  #toldAtNs = 0n;

  constructor(options: ClockOptions = {}) {
    this.#options = { servers: [], everyMs: 60_000, timeoutMs: 2000, ...options };
    this.#wall = new WallClock(() => this.#syncSoon(0), options.system);
    this.devices = new DeviceClocks(this);
    this.#syncSoon(0);
  }

  /** UTC, ns since 1970; every time is later than the one before. */
  nowNs(): bigint {
    const targetNs = this.#wall.nowNs() + this.#offsetNs;
    const steadyNs = this.#wall.steadyNs();
    const leastNs = this.#toldNs + (steadyNs - this.#toldAtNs) / CATCHING_UP;
    this.#toldNs = targetNs > leastNs ? targetNs : leastNs > this.#toldNs ? leastNs : this.#toldNs + 1n;
    this.#toldAtNs = steadyNs;
    return this.#toldNs;
  }

  /** UTC of a moment that is not long ago. @param ms on the clock of `performance.now` */
  nsAt(ms: number): bigint {
    // Only how long ago it was is a double: a time of today in nanoseconds does not fit into one.
    const agoNs = BigInt(Math.round((performance.now() - ms) * 1e6));
    return this.nowNs() - agoNs;
  }

  /** ns from anywhere; neither set nor corrected. */
  steadyNs(): bigint {
    return this.#wall.steadyNs();
  }

  status(): ClockStatus {
    return { ...this.#status, offsetNs: this.#offsetNs };
  }

  /** Asks the time servers now; resolves when one has answered or none will. */
  sync(): Promise<void> {
    clearTimeout(this.#timer);
    this.#round ??= this.#ask().finally(() => {
      this.#round = undefined;
      this.#syncSoon(this.#options.everyMs);
    });
    return this.#round;
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("the clock is closed"));
    clearTimeout(this.#timer);
    this.devices.close();
    await this.#round;
  }

  #syncSoon(delayMs: number): void {
    if (this.#closed.signal.aborted || this.#options.servers.length === 0 || this.#round) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.sync(), delayMs).unref();
  }

  async #ask(): Promise<void> {
    const { servers, timeoutMs, onUnanswered } = this.#options;
    const { signal } = this.#closed;
    const why: string[] = [];
    for (const server of servers) {
      try {
        const answer = await askSntp(server, { timeoutMs, signal, now: () => this.#wall.nowNs() });
        this.#take(server, answer);
        return;
      } catch (error) {
        if (signal.aborted) return;
        why.push(`${server}: ${error instanceof Error ? error.message : error}`);
      }
    }
    this.#status = { ...this.#status, synced: false };
    if (why.length > 0 && !this.#complained) onUnanswered?.(why);
    this.#complained = true;
  }

  /** An answer that took long says little: what is known stays, unless the two cannot both be. */
  #take(server: string, { offsetNs, roundTripNs }: SntpAnswer): void {
    const nowNs = this.nowNs();
    const { lastSyncNs, uncertaintyNs } = this.#status;
    const foundNs = roundTripNs / 2n;
    const knownNs =
      lastSyncNs === undefined ? undefined : (uncertaintyNs ?? 0n) + ((nowNs - lastSyncNs) * DRIFT_PPM) / 1_000_000n;
    const apartNs = offsetNs > this.#offsetNs ? offsetNs - this.#offsetNs : this.#offsetNs - offsetNs;
    this.#complained = false;
    if (knownNs !== undefined && foundNs > knownNs && apartNs <= foundNs + knownNs) {
      this.#status = { ...this.#status, synced: true, server, lastSyncNs: nowNs, uncertaintyNs: knownNs };
      return;
    }
    this.#offsetNs = offsetNs;
    this.#status = { synced: true, server, lastSyncNs: nowNs, uncertaintyNs: foundNs };
  }
}
