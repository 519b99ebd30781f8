/**
 * The native live socket, `/v1/spaces/{id}/live`: facts as compact text, bytes as binary frames.
 * Rules: docs/spec/live.md.
 */

import { CommandId, type DeviceMessage } from "./control.ts";
import { CONTROL_MESSAGES } from "./control-messages.ts";
import type { ErrorBody } from "./errors.ts";
import type { CairnEvent } from "./events.ts";
import { type Digest, type Id, Seq, TimeNs } from "./ids.ts";
import { Gravity } from "./image-events.ts";
import { Intrinsics, Pose } from "./pose.ts";
import { type Static, Type } from "./schema.ts";
import type { SpaceState } from "./state.ts";

/**
 * What the client looks at: from the first one on the server pushes points, what is seen and what is fresh first.
 * Without a camera everything is seen, coarse first. Model frame; world→camera as everywhere.
 */
export const View = Type.Object({
  type: Type.Literal("view"),
  camera: Type.Optional(
    Type.Object({
      pose: Pose,
      /** Vertical field of view, radians. */
      fovY: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 3.14 }),
      widthPx: Type.Integer({ minimum: 1, maximum: 65_536 }),
      heightPx: Type.Integer({ minimum: 1, maximum: 65_536 }),
    }),
  ),
  /** Most points the client draws; left out: no bound. */
  points: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type View = Static<typeof View>;

/** Text messages a client sends. `id` is the client's own and is answered exactly once by `answer`. */
export const ClientMessage = Type.Union([
  Type.Object({
    type: Type.Literal("hello"),
    version: Type.Integer(),
    /** Last seq the client has, with the epoch it came from; left out by a newcomer. */
    after: Type.Optional(Seq),
    epoch: Type.Optional(Type.String({ maxLength: 64 })),
    /** Bytes of blobs the server may push before it must wait for `credit`; 0 or none: the client pulls by HTTP. */
    credit: Type.Optional(Type.Integer({ minimum: 0, maximum: 64 * 2 ** 20 })),
    /** Channels whose signals the client wants. */
    channels: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 64 })),
    /** Shown to others in `presence`. */
    name: Type.Optional(Type.String({ maxLength: 80 })),
    /** The client's own name for itself, the same over reconnects: a command repeated after one is not done twice. */
    client: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  }),
  Type.Object({ type: Type.Literal("credit"), bytes: Type.Integer({ minimum: 1, maximum: 64 * 2 ** 20 }) }),
  View,
  Type.Object({ type: Type.Literal("signal"), channel: Type.String({ maxLength: 128 }), data: Type.Unknown() }),
  Type.Object({ type: Type.Literal("ping") }),
  Type.Object({ type: Type.Literal("operation.start"), id: CommandId, kind: Type.String({ maxLength: 64 }) }),
  Type.Object({ type: Type.Literal("operation.cancel"), id: CommandId, operation: Type.String({ maxLength: 64 }) }),
  ...CONTROL_MESSAGES,
]);
export type ClientMessage = Static<typeof ClientMessage>;

/** Head of the binary frame that uploads one photo: the frame is kind 1, then this as JSON, then the photo. */
export const ImageHead = Type.Object({
  id: CommandId,
  name: Type.String({ maxLength: 255 }),
  key: Type.Optional(Type.String({ maxLength: 200 })),
  camera: Type.Optional(Intrinsics),
  capturedNs: Type.Optional(TimeNs),
  gravity: Type.Optional(Gravity),
  sequence: Type.Optional(Type.String({ maxLength: 200 })),
  contributor: Type.Optional(Type.String({ maxLength: 200 })),
});
export type ImageHead = Static<typeof ImageHead>;

/** Text messages a server sends. */
export type ServerMessage =
  /**
   * Answer to `hello`. `recovered: false` is always followed by `snapshot`, `true` by the events after `after`.
   * `seq` is the log's end; blobs of up to `pushBytes` are pushed; `peer` is what others see as `from`.
   */
  | {
      type: "welcome";
      version: number;
      space: string;
      epoch: string;
      seq: Seq;
      recovered: boolean;
      pushBytes: number;
      peer: string;
    }
  /** Replaces all the client knows. First after `recovered: false`; later only when the log was trimmed under it. */
  | { type: "snapshot"; epoch: string; seq: Seq; state: SpaceState }
  /** In order. Without gaps from the client's seq on, unless `after` says that superseded ones were left out. */
  | { type: "events"; events: CairnEvent[]; after?: Seq }
  | { type: "signal"; channel: string; from: string; data: unknown }
  | DeviceMessage
  | { type: "answer"; id: string; result: Record<string, string | number | boolean> }
  | { type: "error"; id?: string; error: ErrorBody; ref?: string }
  | { type: "pong" };

/** Data of a `presence` signal: the whole of it each time, so that a lost one costs nothing. */
export type Presence = { count: number; peers: { peer: string; name: string }[] };

/** What an uploaded photo is answered with, through every door. */
export type ImageReceipt = { image: Id; seq: Seq; blob: Digest; duplicateOf?: Id; known: boolean };
