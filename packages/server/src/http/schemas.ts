/** Shapes of requests and answers: one value checks what comes in and describes it in the OpenAPI document. */
import { Digest, ERRORS, EVENTS, Id, Labels, Seq, SpaceSettings, TimeNs, Verdict } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";

export const ErrorShape = Type.Object(
  {
    code: Type.String({ enum: Object.keys(ERRORS) }),
    detail: Type.String(),
    retry: Type.Boolean(),
    facts: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    ref: Type.Optional(Type.String({ description: "Find the cause in the server's log." })),
  },
  { description: "What went wrong; `code` is for programs, `detail` for people." },
);

/** Any refusal, in every route's answers. */
export const refusals = { "4xx": ErrorShape, "5xx": ErrorShape };

/** An answer that is a file, and its refusals. */
export function fileAnswer(...mediaTypes: string[]) {
  const schema = { type: "string", format: "binary" };
  return { 200: { content: Object.fromEntries(mediaTypes.map((type) => [type, { schema }])) }, ...refusals };
}

export const SpaceParams = Type.Object({ space: Type.String({ description: "Percent-encoded id of the space." }) });
export type SpaceParams = Static<typeof SpaceParams>;
export const ImageParams = Type.Object({ space: Type.String(), image: Type.String() });
export type ImageParams = Static<typeof ImageParams>;

export const NewSpaceBody = Type.Object({
  id: Type.Optional(Type.String()),
  title: Type.Optional(Type.String({ maxLength: 200 })),
  settings: Type.Optional(Type.Partial(SpaceSettings)),
  labels: Type.Optional(Labels),
  expiresNs: Type.Optional(TimeNs),
});
export type NewSpaceBody = Static<typeof NewSpaceBody>;

export const SpaceChange = Type.Object({
  title: Type.Optional(Type.String({ maxLength: 200 })),
  settings: Type.Optional(Type.Partial(SpaceSettings, { description: "Those that change; the others stay." })),
  expiresNs: Type.Optional(Type.Union([TimeNs, Type.Null()], { description: "`null`: never." })),
  labels: Type.Optional(Labels),
});
export type SpaceChange = Static<typeof SpaceChange>;

export const Summary = Type.Object({
  id: Type.String(),
  title: Type.String(),
  createdNs: TimeNs,
  expiresNs: Type.Optional(TimeNs),
  labels: Type.Optional(Labels),
  images: Type.Integer(),
  designs: Type.Optional(Type.Integer({ description: "Files of designs; left out where there is none." })),
  devices: Type.Optional(Type.Integer({ description: "Connected or not; left out where none is known." })),
  generation: Type.Integer(),
  points: Type.Integer(),
  head: Seq,
  epoch: Type.String(),
});

export const UploadQuery = Type.Object({
  name: Type.Optional(Type.String({ maxLength: 1024, description: "The photo's file name; shown, never a path." })),
  key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: "Your own name for this upload: again is the same image.",
    }),
  ),
  camera: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        "`fx,fy,cx,cy` of the upright photo, pixels; with `,width,height` of one of that size, scaled to this photo's.",
    }),
  ),
  contributor: Type.Optional(Type.String({ maxLength: 200 })),
  capturedNs: Type.Optional(TimeNs),
  gravity: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        "`x,y,z,sigmaDeg`: which way is down in the upright photo (x right, y down, z forward), and how surely, degrees.",
    }),
  ),
  sequence: Type.Optional(
    Type.String({ maxLength: 200, description: "The video or stream that it is a picture of, in your own words." }),
  ),
});
export type UploadQuery = Static<typeof UploadQuery>;

export const Receipt = Type.Object({
  image: Id,
  seq: Seq,
  blob: Digest,
  duplicateOf: Type.Optional(Id),
  known: Type.Boolean({ description: "An earlier upload of the same key made this image." }),
});

export const UploadResults = Type.Object({
  results: Type.Array(
    Type.Object({ name: Type.String(), receipt: Type.Optional(Receipt), error: Type.Optional(ErrorShape) }),
  ),
});

export const ImageShape = Type.Object({
  ...EVENTS["image.added"].properties,
  seq: Seq,
  addedNs: TimeNs,
  verdict: Type.Optional(Verdict),
  version: Type.Optional(Type.Integer({ description: "The version to show; left out: as it was added." })),
  lastVersion: Type.Optional(Type.Integer()),
  versions: Type.Optional(
    Type.Array(Type.Object({ ...Type.Omit(EVENTS["image.changed"], ["image"]).properties, timeNs: TimeNs })),
  ),
  changedNs: Type.Optional(TimeNs),
});

const EventShape = Type.Object({
  seq: Seq,
  timeNs: TimeNs,
  type: Type.String({ description: "As in docs/spec/log.md." }),
  cause: Type.Optional(Seq),
  data: Type.Record(Type.String(), Type.Unknown()),
});

export const EventsQuery = Type.Object({
  after: Type.Integer({ minimum: 0, default: 0 }),
  limit: Type.Integer({ minimum: 1, maximum: 5000, default: 1000 }),
  epoch: Type.Optional(
    Type.String({ maxLength: 64, description: "Of the log you read before; another: `log.trimmed`." }),
  ),
});
export type EventsQuery = Static<typeof EventsQuery>;

export const EventsPage = Type.Object({
  epoch: Type.String(),
  first: Seq,
  head: Seq,
  events: Type.Array(EventShape),
});

export const Snapshot = Type.Object({
  epoch: Type.String(),
  seq: Seq,
  state: Type.Record(Type.String(), Type.Unknown(), { description: "Every event up to `seq`, folded." }),
});

export const OperationShape = Type.Object({
  operation: Id,
  kind: Type.String(),
  status: Type.Union(
    (["queued", "running", "completed", "failed", "cancelled"] as const).map((status) => Type.Literal(status)),
  ),
  startedNs: TimeNs,
  endedNs: Type.Optional(TimeNs),
  progress: Type.Optional(EVENTS["operation.progressed"]),
  result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
});
