/** A line on stderr that says how far things are, at what rate and for how long. Silent where nobody watches. */

const WIDTH = 24;
const INTERVAL_MS = 100;

export class ProgressLine {
  readonly #shown: boolean;
  #label = "";
  #startedMs = 0;
  #drawnMs = Number.NEGATIVE_INFINITY;

  /** Not shown when stderr is no terminal, or with `quiet`. */
  constructor({ quiet = false } = {}) {
    this.#shown = Boolean(process.stderr.isTTY) && !quiet;
  }

  /**
   * `unit` is what `done` counts: bytes are shown as megabytes. Without a `total` only what is done and its rate are
   * shown. A new label starts a new clock.
   */
  update(label: string, done: number, total: number | undefined, unit: Unit): void {
    if (label !== this.#label) {
      this.#label = label;
      this.#startedMs = performance.now();
    }
    if (!this.#shown || (done !== total && performance.now() - this.#drawnMs < INTERVAL_MS)) return;
    this.#drawnMs = performance.now();
    process.stderr.write(`\r\x1b[2K${progressText(label, done, total, unit, this.#drawnMs - this.#startedMs)}`);
  }

  /** Takes the line away, so that what follows starts at the margin. */
  clear(): void {
    if (this.#shown) process.stderr.write("\r\x1b[2K");
  }
}

/** `sending  ███████░░░░░  12.3/40.1 MB  4.1 MB/s  7 s left` */
export function progressText(label: string, done: number, total: number | undefined, unit: Unit, ms: number): string {
  const perSecond = ms > 0 ? (done * 1000) / ms : 0;
  const [scale, digits, name] = UNITS[unit];
  const show = (value: number) => (value / scale).toFixed(digits);
  const rate = unit === "photos" ? `${(perSecond * 60).toFixed(1)}/min` : `${(perSecond / scale).toFixed(1)} ${name}/s`;
  if (total === undefined) return `${label}  ${show(done)} ${name}  ${rate}`;
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const full = Math.round(part * WIDTH);
  const leftMs = perSecond > 0 ? ((total - done) / perSecond) * 1000 : undefined;
  const left = leftMs === undefined || done >= total ? "" : `  ${duration(leftMs)} left`;
  return `${label}  ${"█".repeat(full)}${"░".repeat(WIDTH - full)}  ${show(done)}/${show(total)} ${name}  ${rate}${left}`;
}

/** By how much what is counted is divided, with how many digits it is shown, and in what. */
const UNITS = {
  bytes: [1e6, 1, "MB"],
  photos: [1, 0, "photos"],
  points: [1e6, 2, "M points"],
  percent: [1, 0, "%"],
} as const;

type Unit = keyof typeof UNITS;

export function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
