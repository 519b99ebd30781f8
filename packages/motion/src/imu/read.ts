/**
 * `imu_data` of a phone, flat `{timestamp, accelerometer, gyroscope}` or nested `{timestamp, imu_data: {…}}`, read from
 * its text: the timestamp may need more digits than a JSON number keeps.
 */
import { memberText, wholeNumber } from "./number-text.ts";
import { BadSample, type ImuSample, MAX_TIMESTAMP, type Vector3 } from "./sample.ts";

/**
 * @param text the whole message @param message the same, parsed, when the caller has it
 * @throws {BadSample} with the cause
 */
export function readImu(text: string, message: unknown = parsed(text)): ImuSample {
  const outer = objectOf(message);
  if (!outer) throw new BadSample("not a JSON object");
  const inner = objectOf(outer.imu_data);
  const body = inner ?? outer;
  return {
    timestamp: readTimestamp(timestampText(text, outer, inner)),
    accelerometer: readVector(body, "accelerometer"),
    gyroscope: readVector(body, "gyroscope"),
  };
}

/** @param text of the JSON value: a number, or a text of digits @throws {BadSample} */
export function readTimestamp(text: string | undefined): bigint {
  if (text === undefined) throw new BadSample("timestamp is missing");
  const timestamp = wholeNumber(text);
  if (timestamp === undefined) throw new BadSample("timestamp is not a whole number");
  if (timestamp > MAX_TIMESTAMP) throw new BadSample("timestamp is over 2^63 - 1");
  return timestamp;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** The nested form may carry its timestamp inside. */
function timestampText(text: string, outer: JsonObject, inner: JsonObject | undefined): string | undefined {
  if (inner === undefined || outer.timestamp !== undefined) return memberText(text, "timestamp");
  const nested = memberText(text, "imu_data");
  return nested === undefined ? undefined : memberText(nested, "timestamp");
}

function readVector(body: JsonObject, name: string): Vector3 {
  const vector = objectOf(body[name]);
  if (!vector) throw new BadSample(`${name} is missing`);
  return [readAxis(vector, name, "x"), readAxis(vector, name, "y"), readAxis(vector, name, "z")];
}

function readAxis(vector: JsonObject, name: string, axis: string): number {
  const value = vector[axis];
  if (value === undefined) throw new BadSample(`${name}.${axis} is missing`);
  if (typeof value !== "number" || !Number.isFinite(value))
    throw new BadSample(`${name}.${axis} is not a finite number`);
  return value;
}

function objectOf(value: unknown): JsonObject | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadSample("not JSON");
  }
}
