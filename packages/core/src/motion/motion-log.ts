/**
 * What motion sensors felt while they were carried through a space, kept with it: every half a minute a blob and the
 * event that names it. Rules: docs/spec/motion.md.
 */
import type { InertialSamples } from "@cairn/geometry";
import { IMU_CSV_HEADER, type ImuSample, imuCsvLine, nsByDigits, readImuCsv } from "@cairn/motion";
import type { EventData, SpaceId, TimeNs } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { ServerClock } from "../clock/server-clock.ts";
import { StreamClock } from "../clock/stream-clock.ts";
import { checkQuota } from "../space/quota.ts";
import type { Space, Spaces } from "../space/spaces.ts";
import type { MotionSources } from "./motion-sources.ts";

export type MotionLogParts = {
  readonly spaces: Pick<Spaces, "open">;
  readonly blobs: Pick<BlobStore, "get" | "put">;
  readonly clock: Pick<ServerClock, "devices" | "nowNs">;
  readonly motion: Pick<MotionSources, "onFlush">;
  /** Told what went wrong where nobody asked: samples that could not be kept are gone. */
  readonly onError: (context: string, error: unknown) => void;
  readonly writeEveryMs?: number;
};

/** Samples of one source in one space that are not kept yet. */
type Piece = {
  readonly space: SpaceId;
  readonly source: string;
  lines: string[];
  fromNs: bigint;
  toNs: bigint;
  readonly timer: NodeJS.Timeout;
  readonly clock: StreamClock;
  /** The server's clock − the device's, and within what that is true. */
  offsetNs: bigint;
  uncertaintyNs: bigint | undefined;
};

const WRITE_EVERY_MS = 30_000;
const MOST_SAMPLES = 10_000;
const PER_SECOND = 1e9;
/** Samples of a source are read for this long at most. */
const MOST_READ = 120_000;

export class MotionLog {
  readonly #parts: MotionLogParts;
  readonly #pieces = new Map<string, Piece>();
  readonly #stop: () => void;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: MotionLogParts) {
    this.#parts = parts;
    this.#stop = parts.motion.onFlush((source, samples, space) => {
      if (space !== undefined) this.#take(space as SpaceId, source, samples);
    });
  }

  /** Keeps what came so far; resolves when it is on disk, or told to be lost. */
  flush(): Promise<void> {
    for (const key of [...this.#pieces.keys()]) this.#write(key);
    return this.#writing;
  }

  /**
   * What each source felt between two times of the server's clock.
   * @returns times in seconds after `originNs`
   */
  async between(space: Space, fromNs: bigint, toNs: bigint, originNs: bigint): Promise<InertialSamples[]> {
    await this.flush();
    const bySource = new Map<string, EventData<"motion.added">[]>();
    for (const piece of space.log.snapshot().state.motion ?? []) {
      const offset = BigInt(piece.offsetNs);
      if (BigInt(piece.toNs) + offset < fromNs || BigInt(piece.fromNs) + offset > toNs) continue;
      bySource.set(piece.source, [...(bySource.get(piece.source) ?? []), piece]);
    }
    return Promise.all([...bySource.values()].map((pieces) => this.#read(pieces, originNs)));
  }

  async close(): Promise<void> {
    this.#stop();
    await this.flush();
  }

  #take(space: SpaceId, source: string, samples: readonly ImuSample[]): void {
    const key = JSON.stringify([space, source]);
    const { clock, writeEveryMs = WRITE_EVERY_MS } = this.#parts;
    for (const sample of samples) {
      const timeNs = nsByDigits(sample.timestamp);
      let piece = this.#pieces.get(key);
      if (!piece) {
        const timer = setTimeout(() => this.#write(key), writeEveryMs).unref();
        const times = { fromNs: timeNs, toNs: timeNs, offsetNs: 0n, uncertaintyNs: undefined };
        piece = { space, source, lines: [], timer, clock: new StreamClock(source, clock.devices), ...times };
        this.#pieces.set(key, piece);
      }
      piece.lines.push(imuCsvLine(sample, timeNs));
      if (timeNs < piece.fromNs) piece.fromNs = timeNs;
      if (timeNs >= piece.toNs) {
        piece.toNs = timeNs;
        piece.offsetNs = piece.clock.timeOf(timeNs, clock.nowNs()) - timeNs;
      }
      if (piece.lines.length >= MOST_SAMPLES) this.#write(key);
    }
  }

  #write(key: string): void {
    const piece = this.#pieces.get(key);
    if (!piece) return;
    clearTimeout(piece.timer);
    this.#pieces.delete(key);
    const { space, source } = piece;
    // Now, while what is known of the device's clock is fresh.
    const told = this.#parts.clock.devices.timeOf(source, piece.toNs);
    const apartNs = told ? told.timeNs - piece.toNs - piece.offsetNs : 0n;
    if (told && apartNs <= told.uncertaintyNs && -apartNs <= told.uncertaintyNs)
      piece.uncertaintyNs = told.uncertaintyNs;
    this.#writing = this.#writing
      .then(() => this.#keep(piece))
      .catch((error: unknown) => this.#parts.onError(`motion of ${source} in ${space}`, error));
  }

  async #keep({ space: id, source, lines, fromNs, toNs, offsetNs, uncertaintyNs }: Piece): Promise<void> {
    const space = await this.#parts.spaces.open(id);
    const bytes = Buffer.from(`${IMU_CSV_HEADER}\n${lines.join("\n")}\n`);
    checkQuota(space.log.snapshot().state, { images: 0, sizeBytes: bytes.length });
    const { digest, sizeBytes } = await this.#parts.blobs.put(bytes);
    const data: EventData<"motion.added"> = {
      source,
      blob: digest,
      sizeBytes,
      samples: lines.length,
      fromNs: String(fromNs) as TimeNs,
      toNs: String(toNs) as TimeNs,
      offsetNs: String(offsetNs),
      ...(uncertaintyNs === undefined ? {} : { uncertaintyNs: String(uncertaintyNs) as TimeNs }),
    };
    await space.log.append([{ type: "motion.added", data }]);
  }

  async #read(pieces: readonly EventData<"motion.added">[], originNs: bigint): Promise<InertialSamples> {
    const rows: { atS: number; sample: ImuSample }[] = [];
    for (const { source, blob, offsetNs } of pieces) {
      const toOriginNs = BigInt(offsetNs) - originNs;
      // A piece that is lost costs itself, not the model that asks.
      const bytes = await this.#parts.blobs.get(blob).catch((error: unknown) => {
        this.#parts.onError(`motion of ${source}`, error);
        return new Uint8Array(0);
      });
      for (const sample of readImuCsv(Buffer.from(bytes).toString("latin1"))) {
        rows.push({ atS: Number(sample.timestamp + toOriginNs) / PER_SECOND, sample });
      }
      if (rows.length >= MOST_READ) break;
    }
    // Each piece has its own offset, and a late sample may be in the piece after: in order, each time once.
    rows.sort((a, b) => a.atS - b.atS);
    const kept = rows.filter(({ atS }, k) => atS !== rows[k - 1]?.atS);
    return {
      times: Float64Array.from(kept, ({ atS }) => atS),
      gyroscope: Float64Array.from(kept.flatMap(({ sample }) => [...sample.gyroscope])),
      accelerometer: Float64Array.from(kept.flatMap(({ sample }) => [...sample.accelerometer])),
    };
  }
}
