/**
 * How many bytes the server may have on their way to this client. Kernel buffers hide seconds of a slow link, and only
 * the client knows what it has taken; so it keeps just enough on the way for the link never to run dry:
 * 1.25 × measured rate × (shortest round trip + 40 ms). On 10 Mbit/s that is what an event waits beside bytes: 50 ms.
 */

/** What a connection starts with: 50 ms of 10 Mbit/s. */
export const FIRST_CREDIT_BYTES = 64 * 1024;

/** A rate is measured over at least this long, and the best of the last few counts. */
const SAMPLE_MS = 100;
const SAMPLES = 10;
/** After so long without a byte the server had nothing to send: what comes next begins a new measurement. */
const IDLE_MS = 250;
const SPARE_MS = 40;
const LEAST_BYTES = 32 * 1024;
/** A grant is on its way for half a round trip, and what it brings for the other half; this much more may pass. */
const LATE_MS = 15;
/**
 * Who follows a growing model on a fast link gets a little now and then: no backlog to measure a rate with. The slowest of
 * the last bursts says what the link can at least do, and the window grows so far, so that grants are rare.
 */
const BURSTS = 8;
const BURST_BYTES = 16 * 1024;
const MOST_BY_BURSTS_BYTES = 2 ** 20;

export class CreditWindow {
  #mostBytes = 0;
  #windowBytes = 0;
  /** Granted and not arrived; below 0 when the last frame was larger than what was left. */
  #openBytes = 0;
  #roundTripMs = Number.POSITIVE_INFINITY;
  #largestBytes = 0;
  #rates: number[] = [];
  #bursts: number[] = [];
  #sampleBytes = 0;
  #sampleSinceMs = Number.NEGATIVE_INFINITY;
  #arrivedMs = Number.NEGATIVE_INFINITY;

  /** @param grantedBytes what the hello granted @param mostBytes what the server ever lets be on its way; 0: it pushes nothing */
  start(grantedBytes: number, mostBytes: number): void {
    this.#mostBytes = mostBytes;
    this.#openBytes = Math.min(grantedBytes, mostBytes);
    this.#windowBytes = this.#openBytes;
    this.#rates = [];
    this.#bursts = [];
    this.#sampleSinceMs = Number.NEGATIVE_INFINITY;
    this.#arrivedMs = Number.NEGATIVE_INFINITY;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  roundTrip(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs, ms);
  }

  received(bytes: number, nowMs: number): void {
    this.#openBytes -= bytes;
    this.#largestBytes = Math.max(this.#largestBytes, bytes);
    this.#measure(bytes, nowMs);
  }

  /**
   * What to grant now: a quarter of the window or more, so that one message serves several frames; up to half of it, as
   * long as the rest lasts until the grant has brought something.
   */
  grant(): number {
    const missingBytes = this.#windowBytes - this.#openBytes;
    const lasts = (this.#roundTripMs + LATE_MS) / (1.25 * (this.#roundTripMs + SPARE_MS));
    // Frames come whole: the last before a grant may be missing as well.
    const spareBytes = Number.isFinite(lasts) ? (1 - lasts) * this.#windowBytes - this.#largestBytes : 0;
    const stepBytes = Math.max(this.#windowBytes / 4, Math.min(this.#windowBytes / 2, spareBytes));
    if (missingBytes <= 0 || missingBytes < stepBytes) return 0;
    this.#openBytes += missingBytes;
    return missingBytes;
  }

  #measure(bytes: number, nowMs: number): void {
    const sinceMs = nowMs - this.#arrivedMs;
    const idle = sinceMs > IDLE_MS;
    this.#arrivedMs = nowMs;
    if (!idle && bytes >= BURST_BYTES && this.#rates.length === 0) this.#burst(bytes / Math.max(1, sinceMs));
    if (idle) {
      this.#sampleSinceMs = nowMs;
      this.#sampleBytes = 0;
      return;
    }
    this.#sampleBytes += bytes;
    const tookMs = nowMs - this.#sampleSinceMs;
    if (tookMs < SAMPLE_MS) return;
    this.#rates.push(this.#sampleBytes / tookMs);
    if (this.#rates.length > SAMPLES) this.#rates.shift();
    this.#sampleSinceMs = nowMs;
    this.#sampleBytes = 0;
    this.#windowBytes = Math.min(this.#mostBytes, Math.max(LEAST_BYTES, this.#windowFor(Math.max(...this.#rates))));
  }

  /** @param rate bytes/ms of a large frame behind the one before it */
  #burst(rate: number): void {
    this.#bursts.push(rate);
    if (this.#bursts.length < BURSTS) return;
    if (this.#bursts.length > BURSTS) this.#bursts.shift();
    const windowBytes = Math.min(MOST_BY_BURSTS_BYTES, this.#windowFor(Math.min(...this.#bursts)));
    this.#windowBytes = Math.max(this.#windowBytes, windowBytes);
  }

  #windowFor(rate: number): number {
    const roundTripMs = Number.isFinite(this.#roundTripMs) ? this.#roundTripMs : SPARE_MS;
    // The server sends while there is credit left: a part of a frame more than granted, taken over time.
    const wanted = 1.25 * rate * (roundTripMs + SPARE_MS) - this.#largestBytes / 4;
    return Math.round(Math.min(this.#mostBytes, wanted));
  }
}
