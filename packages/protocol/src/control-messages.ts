/** Steering over the live socket. What has an `id` is answered under it; the rest only when it is refused. */

import {
  Command,
  CommandId,
  DeviceAnswer,
  DeviceDefinition,
  DeviceName,
  LeaseKey,
  LeaseWish,
  OrderNumber,
  PersonName,
} from "./control.ts";
import { type Static, Type } from "./schema.ts";

const id = CommandId;
const device = DeviceName;

/** How far a command is to have come before it is answered. */
export const Until = Type.Union([Type.Literal("sent"), Type.Literal("accepted"), Type.Literal("settled")], {
  default: "sent",
});
export type Until = Static<typeof Until>;

export const CONTROL_MESSAGES = [
  Type.Object({ type: Type.Literal("control.take"), id, device, ...LeaseWish.properties }),
  Type.Object({ type: Type.Literal("control.keep"), id, device, ...LeaseKey.properties }),
  Type.Object({ type: Type.Literal("control.release"), id, device, ...LeaseKey.properties }),
  Type.Object({
    type: Type.Literal("control.command"),
    id,
    device,
    ...LeaseKey.properties,
    ...Command.properties,
    until: Type.Optional(Until),
  }),
  Type.Object({ type: Type.Literal("control.clear"), id, device, ...LeaseKey.properties, order: OrderNumber }),
  /** Of all devices of the space, where none is named. */
  Type.Object({
    type: Type.Literal("control.stop"),
    id,
    device: Type.Optional(device),
    by: Type.Optional(PersonName),
  }),
  /** From here on this socket is the device. */
  Type.Object({ type: Type.Literal("control.connect"), id, ...DeviceDefinition.properties }),
  Type.Object({ type: Type.Literal("control.answer"), device, ...DeviceAnswer.properties }),
  Type.Object({ type: Type.Literal("control.secured"), device, order: OrderNumber }),
  Type.Object({ type: Type.Literal("control.leave"), device }),
] as const;
export type ControlMessage = Static<(typeof CONTROL_MESSAGES)[number]>;
