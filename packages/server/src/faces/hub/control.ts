/**
 * Commands of viewers: looked at, and sent on as the same text to the devices that are connected now. Never queued,
 * never repeated (HUB-44 to HUB-49).
 */
import { isSourceName, problemOfMembers } from "@cairn/core";
import { shownType } from "../face-socket.ts";
import type { HubHouse } from "./house.ts";
import { HUB_KINDS } from "./steered.ts";
import type { Viewer } from "./viewers.ts";

type Fields = Readonly<Record<string, unknown>>;

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
    if (source !== undefined && !isSourceName(source)) {
      socket.error(`Invalid ${shownType(fields.type)} command: source is not a name`);
      return;
    }
    for (const outlet of house.outlets) outlet.analysisMode?.(source ?? "default", text.toString());
    return;
  }
  // A viewer of one source steers no other.
  const devices = viewer.sees(source) ? house.devices.of(source) : [];
  if (devices.length === 0) socket.error("No device connected");
  for (const refusal of house.steered.relay(devices, String(fields.type), fields, text)) socket.error(refusal);
}

function problemOf(fields: Fields): string | undefined {
  const { type, source } = fields;
  if (typeof type !== "string") return "type is not text";
  if (source !== undefined && typeof source !== "string") return "source is not text";
  return Object.hasOwn(HUB_KINDS, type) ? problemOfMembers(fields, HUB_KINDS[type]!) : undefined;
}
