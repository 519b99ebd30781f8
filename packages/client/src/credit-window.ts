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

export class CreditWindow {
  #mostBytes = 0;
  #windowBytes = 0;
  /** Granted and not arrived; below 0 when the last frame was larger than what was left. */
  #openBytes = 0;
  #roundTripMs = Number.POSITIVE_INFINITY;
  #largestBytes = 0;
  #rates: number[] = [];
  #sampleBytes = 0;
  #sampleSinceMs = Number.NEGATIVE_INFINITY;
  #arrivedMs = Number.NEGATIVE_INFINITY;

  /** @param grantedBytes what the hello granted @param mostBytes what the server ever lets be on its way; 0: it pushes nothing */
  start(grantedBytes: number, mostBytes: number): void {
    this.#mostBytes = mostBytes;
    this.#openBytes = Math.min(grantedBytes, mostBytes);
    this.#windowBytes = this.#openBytes;
    this.#rates = [];
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

  /** What to grant now: in quarters of the window, so that one message serves several frames. */
  grant(): number {
    const missingBytes = this.#windowBytes - this.#openBytes;
    if (missingBytes <= 0 || missingBytes * 4 < this.#windowBytes) return 0;
    this.#openBytes += missingBytes;
    return missingBytes;
  }

  #measure(bytes: number, nowMs: number): void {
    const idle = nowMs - this.#arrivedMs > IDLE_MS;
    this.#arrivedMs = nowMs;
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
    const roundTripMs = Number.isFinite(this.#roundTripMs) ? this.#roundTripMs : SPARE_MS;
    // The server sends while there is credit left: a part of a frame more than granted, taken over time.
    const wanted = 1.25 * Math.max(...this.#rates) * (roundTripMs + SPARE_MS) - this.#largestBytes / 4;
    this.#windowBytes = Math.round(Math.min(this.#mostBytes, Math.max(LEAST_BYTES, wanted)));
  }
}
