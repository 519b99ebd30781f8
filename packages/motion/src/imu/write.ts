/** A sample as text for others: JSON with every digit of its timestamp, and a line of a recording. */
import type { ImuSample, Vector3 } from "./sample.ts";

/** `{"type":"imu_data","timestamp":1750000000952559124,…}`: the timestamp is a JSON number with the digits it came with. */
export function imuText({ timestamp, accelerometer, gyroscope }: ImuSample, source?: string): string {
  const from = source === undefined ? "" : `,"source":${JSON.stringify(source)}`;
  return `{"type":"imu_data","timestamp":${timestamp},"accelerometer":${axesText(accelerometer)},"gyroscope":${axesText(gyroscope)}${from}}`;
}

/** The first line of a recording: the gyroscope comes first in it. */
export const IMU_CSV_HEADER = "#timestamp [ns],w_x [rad/s],w_y,w_z,a_x [m/s^2],a_y,a_z";

/** A line of a recording, without its end. @param timeNs nanoseconds, whatever unit the device counts in */
export function imuCsvLine({ accelerometer, gyroscope }: ImuSample, timeNs: bigint): string {
  return `${timeNs},${gyroscope.join(",")},${accelerometer.join(",")}`;
}

/**
 * Samples of a recording, in its order; lines that begin with `#` and empty ones are left out.
 * @throws {RangeError} naming the line that is none
 */
export function* readImuCsv(text: string): Generator<ImuSample> {
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number++;
    if (line === "" || line.startsWith("#")) continue;
    const [time = "", ...rest] = line.split(",");
    const [wx, wy, wz, ax, ay, az] = rest.map(Number);
    if (!/^[0-9]{1,19}$/.test(time) || rest.length < 6 || !rest.every((x) => x !== "" && Number.isFinite(Number(x)))) {
      throw new RangeError(`line ${number} is not a sample`);
    }
    yield { timestamp: BigInt(time), gyroscope: [wx!, wy!, wz!], accelerometer: [ax!, ay!, az!] };
  }
}

function axesText([x, y, z]: Vector3): string {
  return `{"x":${x},"y":${y},"z":${z}}`;
}
