/** For tests and benchmarks: a reference set of a drone's camera, its motion sensors and what a room of cameras saw of it. */
import { readFileSync } from "node:fs";
import type { InertialSamples } from "@cairn/geometry";

const EPOCH_NS = 1403715273000000000n;
/** Radial part of its lens: focal lengths and middle, COLMAP's pixel centres. */
export const EUROC_CALIBRATION = Float64Array.of(458.654, 457.296, 367.715, 248.875, -0.28340811, 0.07395907);

const secondsOf = (ns: string): number => Number(BigInt(ns) - EPOCH_NS) / 1e9;

export class Euroc {
  readonly #folder: URL;

  /** @param folder of `micro-euroc` */
  constructor(folder: URL) {
    this.#folder = folder;
  }

  /** Pictures and when each was taken. */
  pictures(): { file: URL; atS: number }[] {
    return this.#rows("cam0_data.csv", ",").map(([ns]) => ({
      file: new URL(`cam0/${ns}.jpg`, this.#folder),
      atS: secondsOf(ns),
    }));
  }

  /** @param lateS what the sensors' clock is told to be ahead of the camera's */
  samples(lateS = 0): InertialSamples {
    const rows = this.#rows("imu0.csv", ",");
    return {
      times: Float64Array.from(rows, ([ns]) => secondsOf(ns) + lateS),
      gyroscope: Float64Array.from(rows.flatMap((row) => row.slice(1, 4).map(Number))),
      accelerometer: Float64Array.from(rows.flatMap((row) => row.slice(4, 7).map(Number))),
    };
  }

  /** `[9]` camera←sensor, as the set's authors calibrated it. */
  mount(): Float64Array {
    const text = readFileSync(new URL("cam0_sensor.yaml", this.#folder), "utf8");
    const data = /T_BS:[\s\S]*?data: \[([^\]]*)\]/.exec(text)?.[1];
    if (!data) throw new RangeError("no T_BS");
    const sensorFromCamera = data.split(",").map(Number);
    return Float64Array.from([0, 1, 2].flatMap((c) => [0, 1, 2].map((r) => sensorFromCamera[4 * r + c])));
  }

  /** Up as it was, `[3]` in the camera's frame at a time. */
  upAt(atS: number): number[] {
    const rows = this.#rows("groundtruth_cam0_tum.txt", " ");
    const [row] = rows.sort(([a], [b]) => Math.abs(timeOf(a) - atS) - Math.abs(timeOf(b) - atS));
    const [x, y, z, w] = row.slice(4, 8).map(Number);
    return [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)];
  }

  #rows(name: string, separator: string): string[][] {
    return readFileSync(new URL(name, this.#folder), "utf8")
      .split("\n")
      .filter((line) => /^\d/.test(line))
      .map((line) => line.split(separator));
  }
}

/** Seconds with nine digits behind the point. */
function timeOf(text: string): number {
  return secondsOf(text.replace(".", ""));
}
