/**
 * What can happen in a space. One schema value per event gives its TypeScript type, its JSON form and its check; the
 * events of one subject, and the words they use, are in its own file.
 * An event never carries bytes: it names blobs, and a blob is durable before the event that names it.
 */

import { CONTROL_EVENTS } from "./control-events.ts";
import { DESIGN_EVENTS } from "./design-events.ts";
import { GENERATION_EVENTS } from "./generation-events.ts";
import type { Seq, TimeNs } from "./ids.ts";
import { IMAGE_EVENTS } from "./image-events.ts";
import { LAYER_EVENTS } from "./layer-events.ts";
import { OPERATION_EVENTS } from "./operation-events.ts";
import { RECORDING_EVENTS } from "./recording-events.ts";
import type { Static, TSchema } from "./schema.ts";
import { SPACE_EVENTS } from "./space-events.ts";

export const EVENTS = {
  ...SPACE_EVENTS,
  ...IMAGE_EVENTS,
  ...LAYER_EVENTS,
  ...GENERATION_EVENTS,
  ...DESIGN_EVENTS,
  ...CONTROL_EVENTS,
  ...RECORDING_EVENTS,
  ...OPERATION_EVENTS,
} as const satisfies Record<string, TSchema>;

export type EventType = keyof typeof EVENTS;
export type EventData<T extends EventType> = Static<(typeof EVENTS)[T]>;

/** What is handed to the log; the log gives it `seq` and `timeNs`. */
export type EventDraft = {
  [T in EventType]: { type: T; data: EventData<T>; cause?: Seq };
}[EventType];

/** What the log holds and everyone reads. `cause` is the seq of the event that led to this one. */
export type CairnEvent = {
  [T in EventType]: { seq: Seq; timeNs: TimeNs; type: T; cause?: Seq; data: EventData<T> };
}[EventType];

export type EventOf<T extends EventType> = Extract<CairnEvent, { type: T }>;
