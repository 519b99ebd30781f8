/**
 * Commands of viewers: looked at, and sent on as the same text to the devices that are connected now. Never queued,
 * never repeated (HUB-44 to HUB-49).
 */
import { shownType } from "../face-socket.ts";
import type { HubHouse } from "./house.ts";
import type { Viewer } from "./viewers.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Members that are numbers from -1 to 1, and those that are text, of the types that are known. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = { movement: ["x", "y"], rotation: ["yaw", "z"] };
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  camera: ["action"],
  flightmode: ["action"],
  flight_mode: ["action"],
};
const PUBLISHED = new Set(["analysis_mode", "machineLearning"]);

/** @param text as it came */
export function takeCommand(house: HubHouse, viewer: Viewer, fields: Fields, text: Buffer): void {
  const { socket } = viewer;
  const problem = problemOf(fields);
  if (problem !== undefined) {
    socket.error(`Invalid ${shownType(fields.type)} command: ${problem}`);
    return;
  }
  const source = typeof fields.source === "string" ? fields.source : viewer.source;
  if (PUBLISHED.has(String(fields.type))) {
    for (const outlet of house.outlets) outlet.analysisMode?.(source ?? "default", text.toString());
    return;
  }
  // A viewer of one source steers no other.
  const reached = viewer.sees(source) ? house.devices.command(text, source) : 0;
  if (reached === 0) socket.error("No device connected");
}

function problemOf(fields: Fields): string | undefined {
  const { type, source } = fields;
  if (typeof type !== "string") return "type is not text";
  if (source !== undefined && typeof source !== "string") return "source is not text";
  for (const name of Object.hasOwn(NUMBERS, type) ? NUMBERS[type]! : []) {
    const value = fields[name];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isFinite(value)) return `${name} is not a finite number`;
    if (Math.abs(value) > 1) return `${name} is not within -1 and 1`;
  }
  for (const name of Object.hasOwn(TEXTS, type) ? TEXTS[type]! : []) {
    const value = fields[name];
    if (value !== undefined && typeof value !== "string") return `${name} is not text`;
  }
  return undefined;
}
