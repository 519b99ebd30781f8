/**
 * The clocks of devices, by the names of their sources: asked over their sockets while they are connected, known for a
 * while after. What a device dates can then be told in the server's time, with how sure that is.
 */
import { ClockAsker, type ClockEstimate, ClockEstimator, type TimeEstimate } from "@cairn/motion";
import type { ClockQuestion } from "@cairn/protocol";
import type { ServerClock } from "./server-clock.ts";

/** At the start, and after the device's clock was set: one after the other until so many are known. */
const FIRST_EXCHANGES = 8;
const FIRST_EVERY_MS = 50;
const EVERY_MS = 1000;
/** The one that was asked longest ago is forgotten. */
const MAX_DEVICES = 1024;

/** One socket's part: closed with it. */
export type ClockLink = {
  /** @returns false when the message is no answer to a question of ours */
  hear(message: Readonly<Record<string, unknown>>): boolean;
  close(): void;
};

export class DeviceClocks {
  readonly #clock: Pick<ServerClock, "nowNs" | "steadyNs">;
  readonly #devices = new Map<string, ClockEstimator>();
  readonly #links = new Set<ClockLink>();

  constructor(clock: Pick<ServerClock, "nowNs" | "steadyNs">) {
    this.#clock = clock;
  }

  /** Asks a device over its socket from now on. @param send must not throw */
  open(source: string, send: (question: ClockQuestion) => void): ClockLink {
    // The steady clock: a correction of the server's time is none of the device's.
    const asker = new ClockAsker(() => this.#clock.steadyNs());
    let left = FIRST_EXCHANGES;
    const ask = () => {
      this.#touch(source);
      send(asker.ask());
      if (left > 0) left--;
      timer = setTimeout(ask, left > 0 ? FIRST_EVERY_MS : EVERY_MS).unref();
    };
    let timer = setTimeout(ask, 0).unref();
    const link: ClockLink = {
      hear: (message) => {
        const exchange = asker.hear(message);
        if (!exchange) return false;
        if (!this.#touch(source).add(exchange)) left = FIRST_EXCHANGES;
        return true;
      },
      close: () => {
        clearTimeout(timer);
        this.#links.delete(link);
      },
    };
    this.#links.add(link);
    return link;
  }

  /** @returns undefined for a device that never answered */
  estimate(source: string): ClockEstimate | undefined {
    const toServer = this.#serverFromSteady();
    const estimate = this.#devices.get(source)?.estimate(this.#clock.steadyNs());
    return estimate && { ...estimate, offsetNs: estimate.offsetNs + toServer };
  }

  /** When it was by the server's clock at a time of the device's; undefined for a device that never answered. */
  timeOf(source: string, deviceNs: bigint): TimeEstimate | undefined {
    const toServer = this.#serverFromSteady();
    const time = this.#devices.get(source)?.timeOf(deviceNs);
    return time && { ...time, timeNs: time.timeNs + toServer };
  }

  /** Those that are known, asked longest ago first. */
  sources(): string[] {
    return [...this.#devices.keys()];
  }

  close(): void {
    for (const link of [...this.#links]) link.close();
  }

  #serverFromSteady(): bigint {
    return this.#clock.nowNs() - this.#clock.steadyNs();
  }

  #touch(source: string): ClockEstimator {
    const estimator = this.#devices.get(source) ?? new ClockEstimator();
    this.#devices.delete(source);
    for (const oldest of this.#devices.keys()) {
      if (this.#devices.size < MAX_DEVICES) break;
      this.#devices.delete(oldest);
    }
    this.#devices.set(source, estimator);
    return estimator;
  }
}
