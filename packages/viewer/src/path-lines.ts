/** Ways of cameras that filmed, as lines between the cameras on the screen. */
import type { PathState, Vec3 } from "@cairn/protocol";

/** Over a longer time nobody knows which way it went. */
const MOST_APART_NS = 5_000_000_000n;

type PathLines = {
  readonly lines: readonly (readonly [from: Vec3, to: Vec3])[];
  /** Where the camera of each way was last, with the image taken there. */
  readonly ends: readonly { readonly path: string; readonly image: string; readonly at: Vec3 }[];
};

/** @param centres of the cameras of the generation on the screen, which may be older than the paths' own, by image */
export function pathLines(paths: Iterable<PathState>, centres: ReadonlyMap<string, Vec3>): PathLines {
  const lines: [Vec3, Vec3][] = [];
  const ends: PathLines["ends"][number][] = [];
  for (const { path, poses } of paths) {
    let before: { at: Vec3; timeNs: bigint; image: string } | undefined;
    for (const { image, timeNs } of poses) {
      const at = centres.get(image);
      if (!at) continue;
      const next = { at, timeNs: BigInt(timeNs), image };
      if (before && next.timeNs - before.timeNs <= MOST_APART_NS) lines.push([before.at, at]);
      before = next;
    }
    if (before) ends.push({ path, image: before.image, at: before.at });
  }
  return { lines, ends };
}
