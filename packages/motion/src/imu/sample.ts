/** One reading of a device's motion sensors, in the device's own units and on its own clock. */

export type Vector3 = readonly [x: number, y: number, z: number];

export type ImuSample = {
  /** As the device counts: 0 to 2^63 − 1, never through a double. */
  readonly timestamp: bigint;
  /** Usually m/s², gravity's reaction included: at rest it points up. */
  readonly accelerometer: Vector3;
  /** Usually rad/s. */
  readonly gyroscope: Vector3;
};

export const MAX_TIMESTAMP = 2n ** 63n - 1n;

/** What keeps a sample from being taken, in words for whoever sent it; never a part of what was sent. */
export class BadSample extends Error {
  override readonly name = "BadSample";
}
