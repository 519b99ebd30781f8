/**
 * Steering: devices that take commands, who holds one, what was sent and what became of it. Facts are `control.*` events;
 * the rest of what a device and an operator are told is in here. Rules: docs/spec/control.md.
 */

import { TimeNs } from "./ids.ts";
import { type Static, Type } from "./schema.ts";

/** A client's own name for a message that it wants answered. */
export const CommandId = Type.String({ minLength: 1, maxLength: 64 });

/**
 * As sources of video and motion are named: a drone's picture and its commands go by one name. States and definitions are
 * objects by name, so the one word that objects have no room for is none.
 */
export const DeviceName = Type.String({ pattern: "^(?!__proto__$)[A-Za-z0-9._-]{1,64}$" });
export type DeviceName = Static<typeof DeviceName>;

/** Who it is, for people; not a proof of anything. */
export const PersonName = Type.String({ minLength: 1, maxLength: 80 });

const MemberName = Type.String({ pattern: "^(?!__proto__$)[A-Za-z0-9_.-]{1,32}$" });
const KindName = Type.String({ pattern: "^(?!__proto__$)[A-Za-z0-9_.:-]{1,64}$" });

/** What a member of a command may be: a small part of JSON Schema, without patterns. */
export const MemberRule = Type.Union([
  Type.Object({
    type: Type.Union([Type.Literal("number"), Type.Literal("integer")]),
    minimum: Type.Optional(Type.Number()),
    maximum: Type.Optional(Type.Number()),
  }),
  Type.Object({
    type: Type.Literal("string"),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    enum: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 32 })),
  }),
  Type.Object({ type: Type.Literal("boolean") }),
]);
export type MemberRule = Static<typeof MemberRule>;

/** A kind of command. Members that are not named here are refused. */
export const CommandKind = Type.Object({
  properties: Type.Record(MemberName, MemberRule, { maxProperties: 32 }),
  required: Type.Optional(Type.Array(MemberName, { maxItems: 32 })),
});
export type CommandKind = Static<typeof CommandKind>;

export const CommandData = Type.Record(
  MemberName,
  Type.Union([Type.Number(), Type.String({ maxLength: 1000 }), Type.Boolean()]),
  { maxProperties: 32 },
);
export type CommandData = Static<typeof CommandData>;

/** A kind of command and what is in it. */
export const Action = Type.Object({ kind: KindName, data: Type.Optional(CommandData) });
export type Action = Static<typeof Action>;

/** What a device says of itself when it comes. */
export const DeviceDefinition = Type.Object({
  device: DeviceName,
  /** The commands it takes, by kind. */
  kinds: Type.Record(KindName, CommandKind, { minProperties: 1, maxProperties: 32 }),
  /** What it is told when nobody steers it any more. */
  safe: Action,
  /** What an emergency stop is for it; left out: as `safe`. */
  stop: Type.Optional(Action),
  /** A command that has not been accepted so long after it came is not carried out, milliseconds. */
  ttlMs: Type.Integer({ minimum: 50, maximum: 60_000 }),
  /** A command that was accepted is done or has failed within; left out: a minute. */
  doneMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 3_600_000 })),
  /** Commands on their way that it has not accepted yet, at most; left out: 4. */
  window: Type.Optional(Type.Integer({ minimum: 1, maximum: 32 })),
  /** It never acknowledges: what went out is all that is known. */
  silent: Type.Optional(Type.Boolean()),
});
export type DeviceDefinition = Static<typeof DeviceDefinition>;

/** Number of a lease in its space: each is higher than the ones before. */
export const LeaseNumber = Type.Integer({ minimum: 1 });
/** The holder's own number of a command: each is higher than the ones before in this lease. */
export const CommandNumber = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
/** Number of a safe or stop order in its space: each is higher than the ones before. */
export const OrderNumber = Type.Integer({ minimum: 1 });

/** Every this many heartbeats without a sign of the holder a lease ends. */
export const MISSED_HEARTBEATS = 3;
export const HeartbeatMs = Type.Integer({ minimum: 200, maximum: 10_000, default: 1000 });

/** What a holder shows with everything: nobody else knows the secret. */
export const LeaseKey = Type.Object({ lease: LeaseNumber, secret: Type.String({ minLength: 1, maxLength: 128 }) });
export type LeaseKey = Static<typeof LeaseKey>;

export const LeaseWish = Type.Object({ holder: PersonName, heartbeatMs: Type.Optional(HeartbeatMs) });
export type LeaseWish = Static<typeof LeaseWish>;

export type LeaseGrant = LeaseKey & { device: DeviceName; holder: string; heartbeatMs: number };

export const Command = Type.Object({
  command: CommandNumber,
  kind: KindName,
  data: Type.Optional(CommandData),
  /** Shorter than the device's own; milliseconds from when it comes. */
  ttlMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
});
export type Command = Static<typeof Command>;

/** What a device says of a command. */
export const DeviceAnswer = Type.Object({
  lease: LeaseNumber,
  command: CommandNumber,
  outcome: Type.Union([Type.Literal("accepted"), Type.Literal("done"), Type.Literal("failed")]),
  message: Type.Optional(Type.String({ maxLength: 500 })),
});
export type DeviceAnswer = Static<typeof DeviceAnswer>;

/** What became of a command. */
export const Outcome = Type.Union([
  Type.Literal("accepted"),
  Type.Literal("done"),
  Type.Literal("failed"),
  /** It went to the device, which did not say in time that it accepted it, or that it was done. */
  Type.Literal("timed_out"),
  /** It went to a device that never acknowledges. */
  Type.Literal("delivered"),
  /** Its time was up before it could go out: the device never got it. */
  Type.Literal("late"),
  /** A stop, the end of its lease or the device's leaving came first: the device never got it. */
  Type.Literal("dropped"),
  /** The server ended before it was known: the device may have got it. It is never sent again. */
  Type.Literal("lost"),
]);
export type Outcome = Static<typeof Outcome>;

/** `sent`: nothing is known yet. */
export const CommandState = Type.Object({
  lease: LeaseNumber,
  command: CommandNumber,
  kind: KindName,
  /** Of kind and data: tells another command under a used number from a repeated one. */
  digest: Type.String({ pattern: "^[0-9a-f]{16}$" }),
  expiresNs: TimeNs,
  outcome: Type.Union([Type.Literal("sent"), Outcome]),
  message: Type.Optional(Type.String({ maxLength: 500 })),
});
export type CommandState = Static<typeof CommandState>;

/** What a device is told. An order stands above every command: it comes first, and again until it was acknowledged. */
export type DeviceMessage =
  | {
      type: "control.command";
      device: DeviceName;
      lease: number;
      command: number;
      kind: string;
      data: CommandData;
      /** By the server's clock: after this it is not to be carried out. */
      expiresNs: TimeNs;
      /** The same, from when it goes out, for a device that does not know the server's time. */
      remainingMs: number;
    }
  | {
      type: "control.order";
      device: DeviceName;
      order: number;
      what: "safe" | "stop";
      kind: string;
      data: CommandData;
    }
  /** Somebody else is this device now. */
  | { type: "control.replaced"; device: DeviceName };
