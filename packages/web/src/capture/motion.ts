/** What the phone feels, sent beside its pictures: acceleration with gravity in m/s², rotation in rad/s. */
import { epochUs } from "./clock.ts";
import type { DeviceLine } from "./device-line.ts";

/** `ask`: only in answer to a tap, as iOS wants it; `off`: refused, or nothing here that feels. */
export type MotionAccess = "on" | "ask" | "off";

type AskingMotionEvent = { requestPermission?: () => Promise<"granted" | "denied"> };

/** Asks for what may be asked. Outside of a tap iOS gives no answer but `ask`. */
export async function motionAccess(): Promise<MotionAccess> {
  if (!("DeviceMotionEvent" in globalThis)) return "off";
  const { requestPermission } = DeviceMotionEvent as AskingMotionEvent;
  if (typeof requestPermission !== "function") return "on";
  try {
    return (await requestPermission.call(DeviceMotionEvent)) === "granted" ? "on" : "off";
  } catch {
    return "ask";
  }
}

/** Safari's acceleration points the other way than the specification's: at rest it is -9.8 upwards. */
const TURNED =
  /iPhone|iPad|iPod/.test(navigator.userAgent) ||
  (/Mac OS X/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
const RAD = Math.PI / 180;

type MotionSample = {
  readonly type: "imu_data";
  /** Nanoseconds since 1970 as decimal text: a number would lose its last digits. */
  readonly timestamp: string;
  readonly accelerometer: { readonly x: number; readonly y: number; readonly z: number };
  readonly gyroscope: { readonly x: number; readonly y: number; readonly z: number };
};

/** `undefined`: a device without these sensors sends events without numbers. */
function sampleOf(event: Pick<DeviceMotionEvent, "accelerationIncludingGravity" | "rotationRate" | "timeStamp">) {
  const { accelerationIncludingGravity: force, rotationRate: rate, timeStamp } = event;
  if (typeof force?.x !== "number" || typeof force.y !== "number" || typeof force.z !== "number") return undefined;
  if (typeof rate?.alpha !== "number" || typeof rate.beta !== "number" || typeof rate.gamma !== "number")
    return undefined;
  const sign = TURNED ? -1 : 1;
  return {
    type: "imu_data",
    timestamp: `${epochUs(timeStamp)}000`,
    accelerometer: { x: sign * force.x, y: sign * force.y, z: sign * force.z },
    // Tutorials have alpha turn about z, as angles of orientation do; browsers of both families have it turn about x.
    gyroscope: { x: rate.alpha * RAD, y: rate.beta * RAD, z: rate.gamma * RAD },
  } satisfies MotionSample;
}

/** Sends until the signal aborts. @param onTurning told how fast the phone turns, rad/s, at every sample */
export function sendMotion(line: DeviceLine, onTurning: (radPerS: number) => void, signal: AbortSignal): void {
  addEventListener(
    "devicemotion",
    (event) => {
      const sample = sampleOf(event);
      if (!sample) return;
      const { x, y, z } = sample.gyroscope;
      onTurning(Math.hypot(x, y, z));
      line.send(JSON.stringify(sample));
    },
    { signal },
  );
}
