/** Steering, as the log has it: devices, leases, commands and what became of them. Rules: docs/spec/control.md. */

import {
  Action,
  CommandData,
  CommandNumber,
  CommandState,
  DeviceDefinition,
  DeviceName,
  HeartbeatMs,
  LeaseNumber,
  OrderNumber,
  Outcome,
  PersonName,
} from "./control.ts";
import { type TSchema, Type } from "./schema.ts";

export const CONTROL_EVENTS = {
  /** A device is there. `definition`: what it takes, when that is not what the log says already. */
  "control.connected": Type.Object({ device: DeviceName, definition: Type.Optional(DeviceDefinition) }),
  "control.disconnected": Type.Object({
    device: DeviceName,
    reason: Type.Union([Type.Literal("left"), Type.Literal("restarted")]),
  }),
  "control.leased": Type.Object({
    device: DeviceName,
    lease: LeaseNumber,
    holder: PersonName,
    heartbeatMs: HeartbeatMs,
  }),
  "control.released": Type.Object({
    device: DeviceName,
    lease: LeaseNumber,
    /** `expired`: the holder was not heard of. `restarted`, `stopping`: the server ended. */
    reason: Type.Union([
      Type.Literal("released"),
      Type.Literal("expired"),
      Type.Literal("restarted"),
      Type.Literal("stopping"),
    ]),
    /** The device's safe command, as an order; left out: it is stopped, which stands above. */
    order: Type.Optional(OrderNumber),
  }),
  /** A command, before it goes out. */
  "control.sent": Type.Object({
    device: DeviceName,
    ...Type.Omit(CommandState, ["outcome", "message"]).properties,
    data: CommandData,
  }),
  /** What became of it: `accepted` may be followed by another, every other outcome is the last. */
  "control.answered": Type.Object({
    device: DeviceName,
    lease: LeaseNumber,
    command: CommandNumber,
    outcome: Outcome,
    message: Type.Optional(Type.String({ maxLength: 500 })),
  }),
  /** Commands of an older client that knows no leases, sent on as they came. */
  "control.relayed": Type.Object({
    device: DeviceName,
    by: Type.Optional(PersonName),
    ...Action.properties,
    /** How many more since the one that was told before: too many to tell each. */
    more: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  /** An emergency stop: nothing else is sent until it is cleared. */
  "control.stopped": Type.Object({ device: DeviceName, order: OrderNumber, by: Type.Optional(PersonName) }),
  "control.cleared": Type.Object({ device: DeviceName, order: OrderNumber, lease: LeaseNumber }),
  /** The device has done as a safe or stop order says. */
  "control.secured": Type.Object({ device: DeviceName, order: OrderNumber }),
  /** Somebody tried what they may not or what makes no sense. */
  "control.refused": Type.Object({
    what: Type.Union([
      Type.Literal("register"),
      Type.Literal("take"),
      Type.Literal("keep"),
      Type.Literal("release"),
      Type.Literal("command"),
      Type.Literal("clear"),
      Type.Literal("answer"),
      Type.Literal("secured"),
      Type.Literal("relay"),
    ]),
    code: Type.String({ maxLength: 64 }),
    device: Type.Optional(Type.String({ maxLength: 64 })),
    by: Type.Optional(PersonName),
    lease: Type.Optional(Type.Integer()),
    command: Type.Optional(Type.Integer()),
    /** How many more since the one that was told before: too many to tell each. */
    more: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
} as const satisfies Record<string, TSchema>;
