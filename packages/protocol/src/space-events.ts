/** What happens to a space as a whole: its title, settings, labels and end. */

import { TimeNs } from "./ids.ts";
import { type Static, type TSchema, Type } from "./schema.ts";

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
  /** Video that is bound to the space becomes photos of it; false: it is relayed and recorded, and no more. */
  keyframes: Type.Boolean({ default: true }),
  /** Most images the space takes. */
  maxImages: Type.Integer({ minimum: 1, maximum: 100_000, default: 5000 }),
  /** Most bytes of photos the space takes. */
  maxBytes: Type.Integer({ minimum: 1, default: 50 * 2 ** 30 }),
  /** What the photos to come, and the next rebuild, are made with. */
  preset: Preset,
});
export type SpaceSettings = Static<typeof SpaceSettings>;

/** What a space's maker noted of it, for themselves. Those that begin with a face's name and a dot are that face's own. */
export const Labels = Type.Record(
  Type.String({ minLength: 1, maxLength: 64 }),
  Type.Union([Type.String({ maxLength: 1000 }), Type.Number(), Type.Boolean()]),
  { maxProperties: 32 },
);
export type Labels = Static<typeof Labels>;

export const SPACE_EVENTS = {
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
} as const satisfies Record<string, TSchema>;
