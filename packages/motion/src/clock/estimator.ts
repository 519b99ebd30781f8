/**
 * How another clock stands to ours, from exchanges of four times, with a bound that holds whatever the link does: a
 * message cannot arrive before it is sent, so each exchange says that `ours − theirs` is at least `asked − heard` and at
 * most `received − answered`. All that hold at once leave a small polygon of lines `offset + drift · time`; its middle is
 * the estimate, its extent the bound. The best way there and the best way back need not be of one exchange, so jitter
 * that is on one way only costs little; a link that always takes longer one way cannot be told from an offset, and is
 * within the bound. Measured against the usual way (exchange of the shortest round trip) in `benchmarks/clock.mjs`.
 */

import type { Exchange } from "./exchange.ts";
import { clipBelow, type LinePolygon, rangeAt, startPolygon } from "./line-polygon.ts";

export type ClockEstimate = {
  /** Ours − theirs, now. */
  readonly offsetNs: bigint;
  /** The offset is within this of the truth. */
  readonly uncertaintyNs: bigint;
  /** Their clock's error of pace against ours, parts per million; positive: the offset grows, theirs is slow. */
  readonly driftPpm: number;
  readonly driftUncertaintyPpm: number;
  /** Exchanges that it rests on. */
  readonly exchanges: number;
  /** Shortest round trip among them. */
  readonly roundTripNs: bigint;
};

export type TimeEstimate = { readonly timeNs: bigint; readonly uncertaintyNs: bigint };

/** Exchanges that count: a minute at one a second. */
const WINDOW = 60;
/** No clock of a device is worse; those of phones are within 50. */
const MAX_DRIFT_PPM = 200;
/** A clock's pace changes with its warmth: what an exchange said grows vague at this rate. */
const WANDER = 1e-6;
/** Times of a coarse clock are rounded down: to this at most. */
const COARSEST_STEP_NS = 10_000_000n;

const ROUNDING_NS = 10n;

type Limit = {
  /** Our time, seconds after `#originNs`. */
  readonly atS: number;
  /** The offset is from…to, ns after `#offsetNs`. */
  readonly from: number;
  readonly to: number;
  readonly roundTripNs: bigint;
};

export class ClockEstimator {
  #limits: Limit[] = [];
  #polygon: LinePolygon = [];
  #originNs = 0n;
  #offsetNs = 0n;
  /** A power of ten that divides every time of theirs. */
  #stepNs = COARSEST_STEP_NS;
  #restarts = 0;

  /** How often their clock was set meanwhile: what was known before did not hold any more. */
  get restarts(): number {
    return this.#restarts;
  }

  /** @returns false when the exchange contradicts the ones before: their clock was set, and all begins anew with it */
  add(exchange: Exchange): boolean {
    const { askedNs, heardNs, answeredNs, receivedNs } = exchange;
    while (heardNs % this.#stepNs !== 0n || answeredNs % this.#stepNs !== 0n) this.#stepNs /= 10n;
    const roundTripNs = receivedNs - askedNs - (answeredNs - heardNs);
    // While it is answered the clocks drift apart, and what is rounded is rounded.
    const slackNs = ((receivedNs - askedNs) * BigInt(MAX_DRIFT_PPM)) / 1_000_000n + ROUNDING_NS;
    // The question came in within a step after `heard`.
    const least = askedNs - heardNs - this.#stepNs - slackNs;
    const most = receivedNs - answeredNs + slackNs;
    if (least > most) return true; // Faster than light: an answer that is none.
    const known = this.#limits.length > 0;
    if (!known) {
      this.#originNs = receivedNs;
      this.#offsetNs = (least + most) / 2n;
    }
    const limit = {
      atS: Number(receivedNs - this.#originNs) / 1e9,
      from: Number(least - this.#offsetNs),
      to: Number(most - this.#offsetNs),
      roundTripNs,
    };
    this.#limits.push(limit);
    if (this.#limits.length > WINDOW) this.#limits.shift();
    this.#polygon = polygonOf(this.#limits);
    if (this.#polygon.length > 0) return true;
    this.#limits = [];
    this.#restarts++;
    this.add(exchange);
    return false;
  }

  /** @param nowNs our time @returns undefined before the first exchange */
  estimate(nowNs: bigint): ClockEstimate | undefined {
    if (this.#limits.length === 0) return undefined;
    const atS = Number(nowNs - this.#originNs) / 1e9;
    const { low, high } = rangeAt(this.#polygon, atS);
    const newest = this.#limits.at(-1)!;
    const vagueNs = Math.max(0, atS - newest.atS) * WANDER * 1e9;
    const slopes = this.#polygon.map(([, slope]) => slope);
    const [slowest, fastest] = [Math.min(...slopes), Math.max(...slopes)];
    return {
      offsetNs: this.#offsetNs + BigInt(Math.round((low + high) / 2)),
      uncertaintyNs: BigInt(Math.ceil((high - low) / 2 + vagueNs)),
      // ns per s are parts per billion.
      driftPpm: (slowest + fastest) / 2000,
      driftUncertaintyPpm: (fastest - slowest) / 2000,
      exchanges: this.#limits.length,
      roundTripNs: this.#limits.reduce(
        (least, { roundTripNs }) => (roundTripNs < least ? roundTripNs : least),
        newest.roundTripNs,
      ),
    };
  }

  /** When it was by our clock at a time of theirs: of a sample, a picture, a command. */
  timeOf(theirNs: bigint): TimeEstimate | undefined {
    const about = this.estimate(theirNs + this.#offsetNs);
    const near = about && this.estimate(theirNs + about.offsetNs);
    return near && { timeNs: theirNs + near.offsetNs, uncertaintyNs: near.uncertaintyNs };
  }
}

function polygonOf(limits: readonly Limit[]): LinePolygon {
  const nowS = limits.at(-1)!.atS;
  const first = limits[0]!;
  let polygon = startPolygon(first.atS, first.from - 1e9, first.to + 1e9, MAX_DRIFT_PPM * 1000);
  for (const { atS, from, to } of limits) {
    const vagueNs = (nowS - atS) * WANDER * 1e9;
    polygon = clipBelow(polygon, atS, to + vagueNs);
    polygon = clipBelow(polygon, atS, from - vagueNs, -1);
    if (polygon.length === 0) break;
  }
  return polygon;
}
