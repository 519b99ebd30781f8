/** How a device's axes are turned into those that others expect: `x,-z,y` makes (1, 2, 3) into (1, −3, 2). */
import type { ImuSample, Vector3 } from "./sample.ts";

export type AxisMap = (vector: Vector3) => Vector3;

/** @param text three of x, y, z, each once, each with or without a sign @throws {RangeError} with what is wrong */
export function readAxes(text: string): AxisMap {
  const parts = text.split(",").map((part) => /^\s*([+-]?)([xyz])\s*$/.exec(part));
  const [a, b, c] = parts;
  if (!a || !b || !c || parts.length !== 3 || new Set(parts.map((part) => part?.[2])).size !== 3) {
    throw new RangeError('axes are three of x, y and z, each once, with a sign or without: "x,-z,y"');
  }
  const pick = ([, sign, axis]: RegExpExecArray) => {
    const index = axis === "x" ? 0 : axis === "y" ? 1 : 2;
    return sign === "-" ? (v: Vector3) => 0 - v[index] : (v: Vector3) => v[index];
  };
  const [first, second, third] = [pick(a), pick(b), pick(c)];
  return (v) => [first(v), second(v), third(v)];
}

/** Both sensors turned alike. */
export function turnAxes(sample: ImuSample, axes: AxisMap): ImuSample {
  return { ...sample, accelerometer: axes(sample.accelerometer), gyroscope: axes(sample.gyroscope) };
}
