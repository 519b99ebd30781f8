/**
 * What can happen in a space. One schema value per event gives its TypeScript type, its JSON form and its check.
 * An event never carries bytes: it names blobs, and a blob is durable before the event that names it.
 */
import Type, { type Static, type TSchema } from "typebox";
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
import { Hint } from "./hints.ts";
import { Digest, Id, type Seq, TimeNs } from "./ids.ts";
import { Vec3 } from "./vectors.ts";

/** World→camera (x right, y down, z forward): `x_cam = R(rotation) · x_world + translation`. Quaternion w first. */
export const Pose = Type.Object({
  rotation: Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.Number()]),
  translation: Vec3,
});
export type Pose = Static<typeof Pose>;

/** A COLMAP camera model; pixels of the upright photo at full size, pixel centres at 0.5. */
export const Intrinsics = Type.Object({
  model: Type.Union([Type.Literal("PINHOLE"), Type.Literal("SIMPLE_RADIAL"), Type.Literal("RADIAL")]),
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  /** PINHOLE `fx, fy, cx, cy`; SIMPLE_RADIAL `f, cx, cy, k`; RADIAL `f, cx, cy, k1, k2`. */
  params: Type.Array(Type.Number(), { minItems: 4, maxItems: 5 }),
});
export type Intrinsics = Static<typeof Intrinsics>;

/** Model frame→frame of the generation before: `x' = scale · R(rotation) · x + translation`. */
export const Similarity = Type.Object({
  scale: Type.Number(),
  rotation: Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.Number()]),
  translation: Vec3,
});
export type Similarity = Static<typeof Similarity>;

/** How much the engine makes of each photo: cameras and sparse points only, or dense points, coarser to finer. */
export const Preset = Type.Union(
  [Type.Literal("sparse"), Type.Literal("fast"), Type.Literal("balanced"), Type.Literal("fine")],
  { default: "balanced" },
);
export type Preset = Static<typeof Preset>;

export const SpaceSettings = Type.Object({
  /** A full rebuild follows every this many images. */
  rebuildEvery: Type.Integer({ minimum: 2, maximum: 1000, default: 10 }),
  /** Everything is also refined when photos stop coming, or when the model has moved much; else only as above. */
  rebuildWhenIdle: Type.Boolean({ default: true }),
  /** Photos are reconstructed as they come; false: they only lie there until someone sets it. */
  reconstruct: Type.Boolean({ default: true }),
  /** Most images the space takes. */
  maxImages: Type.Integer({ minimum: 1, maximum: 100_000, default: 5000 }),
  /** Most bytes of photos the space takes. */
  maxBytes: Type.Integer({ minimum: 1, default: 50 * 2 ** 30 }),
  /** What the photos to come, and the next rebuild, are made with. */
  preset: Preset,
});
export type SpaceSettings = Static<typeof SpaceSettings>;

/** What a space's maker noted of it, for themselves: not looked at by anything else. */
export const Labels = Type.Record(
  Type.String({ minLength: 1, maxLength: 64 }),
  Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()]),
  { maxProperties: 32 },
);
export type Labels = Static<typeof Labels>;

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

/** Why a model must not be relied on though every photo has its place. */
export const Doubt = Type.Union([
  /** Nobody told the focal length, and the photos leave it open: the model may be stretched or bent. */
  Type.Literal("focal_uncertain"),
]);
export type Doubt = Static<typeof Doubt>;

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

/** One standard deviation of a pose. Of a refined one: within the whole model, its first camera held. */
export const PoseSigma = Type.Object({
  /** RMS distance of the centre, model units. */
  position: Type.Number({ minimum: 0 }),
  /** RMS turn. */
  rotationDeg: Type.Number({ minimum: 0 }),
});
export type PoseSigma = Static<typeof PoseSigma>;

export const PosedCamera = Type.Object({
  image: Id,
  pose: Pose,
  intrinsics: Intrinsics,
  reprojectionPx: Type.Number({ minimum: 0 }),
  sigma: Type.Optional(PoseSigma),
});
export type PosedCamera = Static<typeof PosedCamera>;

/**
 * Up, told by the cameras: `horizon` where they look different ways and are held level, `cameras` where no more is
 * known than how they are held on average.
 */
export const Upright = Type.Object({
  /** Plumb lines of what was built; motion sensors; cameras that are held level; GPS; or just how the cameras are held on average. */
  source: Type.Union([
    Type.Literal("verticals"),
    Type.Literal("gravity"),
    Type.Literal("horizon"),
    Type.Literal("gps"),
    Type.Literal("cameras"),
  ]),
  /** One standard deviation. */
  sigmaDeg: Type.Number({ minimum: 0 }),
  /** How far the model's z is from up. */
  tiltDeg: Type.Number({ minimum: 0 }),
});
export type Upright = Static<typeof Upright>;

/** What tells metres: GPS, or motion sensors that were carried along; `unit` is a length nobody knows. */
export const Scale = Type.Object({
  source: Type.Union([Type.Literal("gps"), Type.Literal("motion"), Type.Literal("unit")]),
  /** How long one unit is, metres. */
  metres: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** One standard deviation of that, as a part of it. */
  sigma: Type.Optional(Type.Number({ minimum: 0 })),
});
export type Scale = Static<typeof Scale>;

/** Where a model lies on the earth. */
export const Georeference = Type.Object({
  /** Origin of an east-north-up frame in metres, WGS 84. */
  latitudeDeg: Type.Number({ minimum: -90, maximum: 90 }),
  longitudeDeg: Type.Number({ minimum: -180, maximum: 180 }),
  altitudeM: Type.Number(),
  /** Model frame→east-north-up. */
  enuFromModel: Similarity,
  /** RMS distance between the cameras and where GPS saw them, metres. */
  residualM: Type.Number({ minimum: 0 }),
});
export type Georeference = Static<typeof Georeference>;

/** Number of a layer in its space: 1, 2, 3, … */
const LayerNumber = Type.Integer({ minimum: 1 });
/** `e_x_y_z`: a cube of the layer's dyadic grid, edge `2^e` (docs/spec/cloud.md). */
const NodeKey = Type.String({ pattern: "^-?[0-9]{1,3}_[0-9]{1,10}_[0-9]{1,10}_[0-9]{1,10}$" });

/** A pose of a camera that filmed, when the picture was taken. */
export const PathPose = Type.Object({ image: Id, timeNs: TimeNs, pose: Pose });
export type PathPose = Static<typeof PathPose>;

const Scalar = Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()]);

/** What was done to an image: `rotate`, `flip`, `resize`, `compress`, `edit`, `undo`, `restore`, and with what. */
export const ImageChange = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 64 }),
  params: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Scalar, { maxProperties: 16 })),
});
export type ImageChange = Static<typeof ImageChange>;

/** What a mesh is like: vertices with exactly equal coordinates are one, facets without area count and make no edge. */
export const MeshMeasure = Type.Object({
  vertices: Type.Integer({ minimum: 0 }),
  faces: Type.Integer({ minimum: 0 }),
  /** Never negative, whichever way the facets are turned; file units. */
  volume: Type.Number({ minimum: 0 }),
  area: Type.Number({ minimum: 0 }),
  /** Every edge in exactly two facets, in opposite directions. */
  watertight: Type.Boolean(),
  min: Vec3,
  max: Vec3,
});
export type MeshMeasure = Static<typeof MeshMeasure>;

const DesignName = Type.String({ minLength: 1, maxLength: 255 });
const CollectionName = Type.String({ minLength: 1, maxLength: 64, pattern: "^[^/]+$" });

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

export const EVENTS = {
  "space.created": Type.Object({
    title: Type.String({ maxLength: 200 }),
    settings: SpaceSettings,
    expiresNs: Type.Optional(TimeNs),
    labels: Type.Optional(Labels),
  }),
  /** Settings that have changed; the others stay. */
  "space.configured": Type.Object({ settings: Type.Partial(SpaceSettings) }),
  "space.renamed": Type.Object({ title: Type.String({ maxLength: 200 }) }),
  /** Labels that are new or have another value now; the others stay. */
  "space.labelled": Type.Object({ labels: Labels }),
  "space.expiring": Type.Object({ expiresNs: Type.Optional(TimeNs) }),
  "space.closed": Type.Object({ reason: Type.Union([Type.Literal("deleted"), Type.Literal("expired")]) }),

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

  "camera.posed": Type.Object({ generation: Type.Integer({ minimum: 1 }), ...PosedCamera.properties }),
  /**
   * The way of a camera that filmed, by the poses of its keyframes: those of a newer generation begin it anew, others
   * are added, or replace the ones of the same images.
   */
  "path.extended": Type.Object({
    /** The `sequence` of its photos. */
    path: Type.String({ minLength: 1, maxLength: 200 }),
    generation: Type.Integer({ minimum: 1 }),
    poses: Type.Array(PathPose, { minItems: 1, maxItems: 1000 }),
  }),
  /** A layer is one octree of points: the model of a generation, or an imported cloud. */
  "layer.started": Type.Object({
    layer: LayerNumber,
    kind: Type.Union([Type.Literal("model"), Type.Literal("import")]),
    name: Type.String({ maxLength: 255 }),
    /** The generation it was made for; an import belongs to none and is always shown. */
    generation: Type.Optional(Type.Integer({ minimum: 1 })),
    /** The operation that fills it: the layer stays when that completes, and is removed when it does not. */
    operation: Type.Optional(Id),
    /** Corner of the grid, layer frame. */
    origin: Vec3,
    /** The octree's first root. */
    seed: NodeKey,
    /** Exponent of the finest nodes: points closer than `2^finest / 64` merge. */
    finest: Type.Integer(),
    /** Layer frame→model frame; left out: the same. */
    transform: Type.Optional(Similarity),
  }),
  /** One insertion: new points as one pack, a blob of segments, at most one for each node. */
  "segments.added": Type.Object({
    layer: LayerNumber,
    /** 0, 1, 2, … within the layer. */
    pack: Type.Integer({ minimum: 0 }),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** The pack's first bytes, which say where each segment is. */
    headBytes: Type.Integer({ minimum: 1 }),
    points: Type.Integer({ minimum: 1 }),
    segments: Type.Integer({ minimum: 1 }),
    /** Points that fell on ones that were there. */
    merged: Type.Integer({ minimum: 0 }),
    /** The photo they came from. */
    image: Type.Optional(Id),
    /** Box of the points, layer frame. */
    min: Vec3,
    max: Vec3,
  }),
  /** The same points in fewer pieces, for those who join later; who follows live need not act. */
  "layer.compacted": Type.Object({
    layer: LayerNumber,
    /** Packs before this one are in the index. */
    packs: Type.Integer({ minimum: 1 }),
    index: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    points: Type.Integer({ minimum: 0 }),
    nodes: Type.Integer({ minimum: 0 }),
    /** Every blob that the index names. */
    blobs: Type.Array(Digest),
  }),
  /** A correction of the pose of all its points. */
  "layer.moved": Type.Object({ layer: LayerNumber, transform: Similarity }),
  "layer.removed": Type.Object({ layer: LayerNumber }),
  /** Bytes of a layer are lost or wrong. `remade`: they were made again from what they came from. */
  "layer.damaged": Type.Object({
    layer: LayerNumber,
    blob: Digest,
    points: Type.Integer({ minimum: 0 }),
    remade: Type.Boolean(),
  }),

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

  "generation.started": Type.Object({ generation: Type.Integer({ minimum: 1 }) }),
  "generation.published": Type.Object({
    generation: Type.Integer({ minimum: 1 }),
    cameras: Type.Integer({ minimum: 0 }),
    points: Type.Integer({ minimum: 0 }),
    /**
     * Photos processed when everything was refined together, or when someone went back; 0 for a first generation that
     * grows as photos come.
     */
    refined: Type.Integer({ minimum: 0 }),
    /** How the new model was laid onto the old frame, and the RMS distance left, as a part of the scene's size. */
    alignment: Type.Optional(Similarity),
    residual: Type.Optional(Type.Number({ minimum: 0 })),
    /** The sparse model as COLMAP text files. */
    model: Type.Optional(Type.Object({ cameras: Digest, images: Digest, points3D: Digest })),
    /** Layers it shows; left out: those started for it. A layer that stays the same is named again, not sent again. */
    layers: Type.Optional(Type.Array(LayerNumber)),
    georeference: Type.Optional(Georeference),
    /** Which way is up, and how surely. */
    upright: Type.Optional(Upright),
    /** What the model's unit of length is; left out: not known. */
    scale: Type.Optional(Scale),
    /** Left out: none. */
    doubts: Type.Optional(Type.Array(Doubt, { maxItems: 16 })),
    /** The earlier generation whose cameras and layers these are: someone went back to it. */
    restores: Type.Optional(Type.Integer({ minimum: 1 })),
  }),

  /** How a generation came about: a blob, the JSON of a `Report`. */
  "report.made": Type.Object({
    generation: Type.Integer({ minimum: 1 }),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
  }),
  /** Advice while photos are being taken. */
  "hint.given": Type.Object({ generation: Type.Integer({ minimum: 0 }), ...Hint.properties }),

  /** A design of a collection has content that it had not before: a file that some program wrote. */
  "design.published": Type.Object({
    design: DesignName,
    collection: CollectionName,
    /** 1 for the first content under this name, then 2, 3, …; goes on after a removal. */
    revision: Type.Integer({ minimum: 1 }),
    /** `present`: it was there when its collection was looked at for the first time. */
    change: Type.Union([Type.Literal("present"), Type.Literal("added"), Type.Literal("overwritten")]),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** When the file was last written, by its own account. */
    fileNs: TimeNs,
    format: Type.Union([Type.Literal("stl"), Type.Literal("obj"), Type.Literal("glb"), Type.Literal("ply")]),
    /** Left out: it could not be read as a mesh. */
    mesh: Type.Optional(MeshMeasure),
    /** Why it could not be read. */
    problem: Type.Optional(Type.String({ maxLength: 200 })),
  }),
  "design.removed": Type.Object({ design: DesignName, collection: CollectionName }),

  /** A point that keeps its place while the model is refined; a later one of the same id replaces it. */
  "anchor.placed": Type.Object({
    anchor: Id,
    generation: Type.Integer({ minimum: 1 }),
    /** Model frame. */
    point: Vec3,
    label: Type.Optional(Type.String({ maxLength: 200 })),
    /** Brought into a new generation with the model; nobody moved it. */
    carried: Type.Optional(Type.Boolean()),
  }),
  "anchor.removed": Type.Object({ anchor: Id }),

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

  "operation.queued": Type.Object({
    operation: Id,
    kind: Type.String({ maxLength: 64 }),
    /** What is to be done, where a start after a crash goes on with it: the kind's own. */
    plan: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  "operation.started": Type.Object({ operation: Id, kind: Type.String({ maxLength: 64 }) }),
  "operation.progressed": Type.Object({
    operation: Id,
    stage: Type.String({ maxLength: 64 }),
    done: Type.Number({ minimum: 0 }),
    total: Type.Number({ minimum: 0 }),
    message: Type.Optional(Type.String({ maxLength: 500 })),
    /** Likely time left, milliseconds, from…to. */
    etaMs: Type.Optional(Type.Tuple([Type.Number({ minimum: 0 }), Type.Number({ minimum: 0 })])),
    /** This step did not work; the others go on. */
    problem: Type.Optional(
      Type.Object({ image: Type.Optional(Id), code: Type.String(), message: Type.String({ maxLength: 500 }) }),
    ),
  }),
  "operation.completed": Type.Object({
    operation: Id,
    result: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
  }),
  "operation.failed": Type.Object({ operation: Id, code: Type.String(), message: Type.String({ maxLength: 500 }) }),
  "operation.cancelled": Type.Object({ operation: Id }),
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
