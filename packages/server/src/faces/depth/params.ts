/** What a depth session is made with. Rules DEP-2, DEP-7 to DEP-10. */
import type { Labels, Preset } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";

export const SessionParams = Type.Object({
  max_images: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  process_res: Type.Integer({ minimum: 56, maximum: 4096, default: 504 }),
  process_res_method: Type.Union([Type.Literal("upper_bound_resize"), Type.Literal("lower_bound_resize")], {
    default: "upper_bound_resize",
  }),
  conf_thresh_percentile: Type.Number({ minimum: 0, maximum: 100, default: 10 }),
  num_max_points: Type.Integer({ minimum: 1, maximum: 10_000_000, default: 10_000_000 }),
  show_cameras: Type.Boolean({ default: true }),
  auto_generate_after: Type.Integer({ minimum: 0, maximum: 1000, default: 0 }),
});
export type SessionParams = Static<typeof SessionParams>;

const PREFIX = "depth.";

/** A space that is a depth session carries its parameters. */
export function labelsOf(params: SessionParams): Labels {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [PREFIX + name, value]));
}

/** `undefined` when the labels are not those of a session. */
export function paramsOf(labels: Labels | undefined): SessionParams | undefined {
  if (labels?.[`${PREFIX}max_images`] === undefined) return undefined;
  const entries = Object.keys(SessionParams.properties).map((name) => [name, labels[PREFIX + name]]);
  return Object.fromEntries(entries) as SessionParams;
}

/** Of a photo in the size in which it is looked at, to the photo (DEP-8). */
export function resizeScale({ process_res, process_res_method }: SessionParams, width: number, height: number): number {
  const side = process_res_method === "upper_bound_resize" ? Math.max(width, height) : Math.min(width, height);
  return process_res / side;
}

const SMALL_PX = 400;
const LARGE_PX = 800;

/**
 * How much is made of photos that are looked at in that size.
 * @param usual what the server makes of them where nothing is said; one that makes no dense points makes none here either
 */
export function presetFor({ process_res }: SessionParams, usual: Preset): Preset {
  if (usual === "sparse" || (process_res >= SMALL_PX && process_res <= LARGE_PX)) return usual;
  return process_res < SMALL_PX ? "fast" : "fine";
}
