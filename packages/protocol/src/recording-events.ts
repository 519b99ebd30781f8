/** Recordings of what is live. Rules: docs/spec/recordings.md. */

import { Digest, Id, TimeNs } from "./ids.ts";
import { type Static, type TSchema, Type } from "./schema.ts";

export const RecordingFormat = Type.Union([Type.Literal("mp4"), Type.Literal("mcap")]);
export type RecordingFormat = Static<typeof RecordingFormat>;

/** Why a recording is over. */
export const RecordingEnd = Type.Union([
  /** Somebody asked. */
  Type.Literal("stopped"),
  /** It is as long, or as large, as it may be. */
  Type.Literal("duration"),
  Type.Literal("bytes"),
  /** Pictures changed their size, or their stream began anew, more often than there may be files. */
  Type.Literal("files"),
  /** Nothing came for as long as it was told to wait. */
  Type.Literal("idle"),
  Type.Literal("disk_full"),
  Type.Literal("disk_failed"),
  Type.Literal("server_stopping"),
  /** The server was killed, or lost its power: what was on disk is there. */
  Type.Literal("crashed"),
]);
export type RecordingEnd = Static<typeof RecordingEnd>;

/** One file of a recording. Times are the server's. */
export const RecordingFile = Type.Object({
  /** Of its own within the recording. */
  name: Type.String({ minLength: 1, maxLength: 200 }),
  format: RecordingFormat,
  blob: Digest,
  sizeBytes: Type.Integer({ minimum: 1 }),
  fromNs: TimeNs,
  toNs: TimeNs,
  /** MP4: the video source, and its pictures. */
  source: Type.Optional(Type.String({ maxLength: 64 })),
  pictures: Type.Optional(Type.Integer({ minimum: 1 })),
  width: Type.Optional(Type.Integer({ minimum: 1 })),
  height: Type.Optional(Type.Integer({ minimum: 1 })),
  /** As browsers name it: `avc1.42E01F`. */
  codec: Type.Optional(Type.String({ maxLength: 64 })),
  /** MCAP. */
  messages: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type RecordingFile = Static<typeof RecordingFile>;

export const RECORDING_EVENTS = {
  /** From now on what comes through the channels is written down (docs/spec/recordings.md). */
  "recording.started": Type.Object({
    recording: Id,
    name: Type.String({ maxLength: 200 }),
    /** `video/front`, `imu/*`, `signals/presence`, `events`, … */
    channels: Type.Array(Type.String({ minLength: 1, maxLength: 140 }), { minItems: 1, maxItems: 64 }),
    formats: Type.Array(RecordingFormat, { minItems: 1, maxItems: 2 }),
    maxBytes: Type.Integer({ minimum: 1 }),
    maxDurationMs: Type.Integer({ minimum: 1 }),
    idleMs: Type.Integer({ minimum: 1 }),
  }),
  "recording.ended": Type.Object({
    recording: Id,
    reason: RecordingEnd,
    /** When the last of it came; the event itself may be younger. */
    endedNs: TimeNs,
    files: Type.Array(RecordingFile, { maxItems: 512 }),
    /** Pictures and messages that came faster than the disk took them; left out: none. */
    lost: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  /** Its files go. */
  "recording.removed": Type.Object({ recording: Id }),
} as const satisfies Record<string, TSchema>;
