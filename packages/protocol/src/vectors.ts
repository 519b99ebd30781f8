import { type Static, Type } from "./schema.ts";

export const Vec3 = Type.Tuple([Type.Number(), Type.Number(), Type.Number()]);
export type Vec3 = Static<typeof Vec3>;
