/** Images of a space: that they came, what became of them, their versions; and what motion sensors felt beside them. */

import { Digest, Id, TimeNs } from "./ids.ts";
import { Intrinsics } from "./pose.ts";
import { type Static, type TSchema, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

export const Gps = Type.Object({
  latitudeDeg: Type.Number({ minimum: -90, maximum: 90 }),
  longitudeDeg: Type.Number({ minimum: -180, maximum: 180 }),
  altitudeM: Type.Optional(Type.Number()),
});
export type Gps = Static<typeof Gps>;

/** Which way is down in a photo, by the motion sensors of what took it. */
export const Gravity = Type.Object({
  /** Unit vector in the frame of the upright photo's camera (x right, y down, z forward): `[0, 1, 0]` held level. */
  down: Vec3,
  /** One standard deviation about either axis, degrees. */
  sigmaDeg: Type.Number({ exclusiveMinimum: 0, maximum: 90 }),
});
export type Gravity = Static<typeof Gravity>;

/** Why a photo was not used, in words a program can branch on; `advice.ts` has the photographer's words. */
export const Reason = Type.Union([
  Type.Literal("blurred"),
  Type.Literal("dark"),
  Type.Literal("overexposed"),
  Type.Literal("featureless"),
  Type.Literal("overlap"),
  /** Some overlap, but not enough for a pose. */
  Type.Literal("weak_overlap"),
  /** It looks like several places: any pose would contradict some of the others. */
  Type.Literal("repetitive"),
  /** What it shares with others is not where it was: things moved, or the zoom is another and nobody told. */
  Type.Literal("inconsistent"),
  Type.Literal("first"),
  Type.Literal("rotation_only"),
  Type.Literal("separate"),
  Type.Literal("duplicate"),
  Type.Literal("unreadable"),
  Type.Literal("failed"),
  Type.Literal("cancelled"),
]);
export type Reason = Static<typeof Reason>;

export const Verdict = Type.Object({
  image: Id,
  verdict: Type.Union([Type.Literal("registered"), Type.Literal("waiting"), Type.Literal("rejected")]),
  reason: Type.Optional(Reason),
  /** The image this one is a copy of. */
  duplicateOf: Type.Optional(Id),
  /** Mean reprojection error, pixels of the full photo. */
  reprojectionPx: Type.Optional(Type.Number({ minimum: 0 })),
  /** Features that see a point of the model. */
  matches: Type.Optional(Type.Integer({ minimum: 0 })),
  /** With reason `separate`: how many photos show the place that nothing connects to the model yet. */
  placePhotos: Type.Optional(Type.Integer({ minimum: 2 })),
});
export type Verdict = Static<typeof Verdict>;

const Scalar = Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()]);

/** What was done to an image: `rotate`, `flip`, `resize`, `compress`, `edit`, `undo`, `restore`, and with what. */
export const ImageChange = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 64 }),
  params: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Scalar, { maxProperties: 16 })),
});
export type ImageChange = Static<typeof ImageChange>;

export const IMAGE_EVENTS = {
  "image.added": Type.Object({
    image: Id,
    blob: Digest,
    mediaType: Type.String(),
    name: Type.String({ maxLength: 255 }),
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** Upright size: EXIF orientation is applied. */
    width: Type.Integer({ minimum: 1 }),
    height: Type.Integer({ minimum: 1 }),
    /** EXIF orientation 1–8 of the stored bytes. */
    orientation: Type.Integer({ minimum: 1, maximum: 8 }),
    /** Known calibration. */
    camera: Type.Optional(Intrinsics),
    /** Focal length as EXIF tells it, pixels of the upright photo. */
    focalPx: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    gps: Type.Optional(Gps),
    gravity: Type.Optional(Gravity),
    capturedNs: Type.Optional(TimeNs),
    /** The video or stream that it is a picture of: those of one follow each other by `capturedNs`. */
    sequence: Type.Optional(Type.String({ maxLength: 200 })),
    /** Through which door: `http`, `tus`, `live`, a face's name, or what sort of program its client said it is. */
    source: Type.String({ maxLength: 64 }),
    contributor: Type.Optional(Type.String({ maxLength: 200 })),
    /** The sender's own name for this upload; the same key again is the same image. */
    key: Type.Optional(Type.String({ maxLength: 200 })),
  }),
  "image.judged": Verdict,
  /** Another version of an image is the one to show. What is reconstructed stays the photo as it was added. */
  "image.changed": Type.Object({
    image: Id,
    /** 1, 2, 3, … for a new one; the number of an earlier one (0: as added) that was gone back to. */
    version: Type.Integer({ minimum: 0 }),
    /** The version it was made from. */
    from: Type.Integer({ minimum: 0 }),
    change: ImageChange,
    blob: Digest,
    mediaType: Type.String(),
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** Upright size. */
    width: Type.Integer({ minimum: 1 }),
    height: Type.Integer({ minimum: 1 }),
    contributor: Type.Optional(Type.String({ maxLength: 200 })),
    /** The operation that did it as one of many. */
    operation: Type.Optional(Id),
  }),
  /** Its bytes and versions go; a model that it helped to make keeps its points until the next rebuild. */
  "image.removed": Type.Object({ image: Id, operation: Type.Optional(Id) }),
  /** Samples of motion sensors: a blob, CSV with each sample's time by the device's clock in nanoseconds. */
  "motion.added": Type.Object({
    source: Type.String({ minLength: 1, maxLength: 64 }),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 0 }),
    samples: Type.Integer({ minimum: 1 }),
    /** First and last, by the device's clock. */
    fromNs: TimeNs,
    toNs: TimeNs,
    /** The server's clock − the device's, signed, and within what that is true; left out: told by when samples came. */
    offsetNs: Type.String({ pattern: "^-?[0-9]{1,19}$" }),
    uncertaintyNs: Type.Optional(TimeNs),
  }),
} as const satisfies Record<string, TSchema>;
