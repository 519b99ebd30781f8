/** What a sender says about a file of points in flat text: a query, or the metadata of a resumable upload. */
import type { PointsFacts } from "@cairn/core";
import { CairnError, check, Similarity } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import { parseJson } from "../http/json-body.ts";

export const ImportQuery = Type.Object({
  name: Type.Optional(Type.String({ maxLength: 1024, description: "The file's name; shown, never a path." })),
  spacing: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, description: "Points closer than this may merge, in the file's unit." }),
  ),
  transform: Type.Optional(
    Type.String({
      maxLength: 2000,
      description: "JSON: `scale`, `rotation` (quaternion, w first) and `translation` from the file to the model.",
    }),
  ),
});

/** @throws {CairnError} `request.not_json`, `request.invalid` */
export function pointsFacts({ name = "points", spacing, transform }: Static<typeof ImportQuery>): PointsFacts {
  return {
    name,
    ...(spacing !== undefined && { spacing }),
    ...(transform !== undefined && { transform: transformOf(transform) }),
  };
}

/** Most and least by which a cloud may be scaled, and how far it may be moved: what doubles can still tell apart. */
const SCALES = [1e-9, 1e9] as const;
const MOST_UNITS = 1e12;

/** @throws {CairnError} `request.not_json`, `request.invalid` */
function transformOf(text: string): Similarity {
  const { scale, rotation, translation } = check(Similarity, parseJson(Buffer.from(text)));
  const refuse = (field: string) => new CairnError("request.invalid", { field: `transform.${field}` });
  if (scale < SCALES[0] || scale > SCALES[1]) throw refuse("scale");
  const length = Math.hypot(...rotation);
  // Written with a few digits it is not quite a unit.
  if (Math.abs(length - 1) > 1e-3) throw refuse("rotation");
  if (translation.some((units) => Math.abs(units) > MOST_UNITS)) throw refuse("translation");
  const [w, x, y, z] = rotation;
  return { scale, rotation: [w / length, x / length, y / length, z / length], translation };
}
