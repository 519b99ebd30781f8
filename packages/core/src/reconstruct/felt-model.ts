/** What the motion sensors of a space tell of its model: how long its unit is, and up. */
import type { MetricAlignment } from "@cairn/geometry";
import type { PosedCamera, Upright } from "@cairn/protocol";
import { type DatedPose, FEWEST_DATED, type FeltUpright, feltMetric } from "@cairn/reconstruct";
import type { MotionLog } from "../motion/motion-log.ts";
import type { Space } from "../space/spaces.ts";

/** Clocks that nobody compared may be this far apart. */
const REACH_NS = 1_000_000_000n;
/** Photos of a sequence that are looked at: minutes of a video. */
const MOST_PHOTOS = 300;
const DEGREES = 180 / Math.PI;

/** By the sequence that tells it best; undefined where none does. */
export async function feltModel(
  cameras: readonly Pick<PosedCamera, "image" | "pose">[],
  { space, motionLog }: { readonly space: Space; readonly motionLog: MotionLog },
): Promise<MetricAlignment | undefined> {
  const { images } = space.log.snapshot().state;
  const sequences = new Map<string, { atNs: bigint; pose: PosedCamera["pose"] }[]>();
  for (const { image, pose } of cameras) {
    const { sequence, capturedNs } = images[image] ?? {};
    if (sequence === undefined || capturedNs === undefined) continue;
    const dated = sequences.get(sequence) ?? [];
    sequences.set(sequence, dated);
    dated.push({ atNs: BigInt(capturedNs), pose });
  }
  let best: MetricAlignment | undefined;
  for (const all of sequences.values()) {
    const dated = all.sort((a, b) => (a.atNs < b.atNs ? -1 : 1)).slice(-MOST_PHOTOS);
    const [first, last] = [dated[0], dated.at(-1)];
    if (!first || !last || dated.length < FEWEST_DATED) continue;
    const tracks = await motionLog.between(space, first.atNs - REACH_NS, last.atNs + REACH_NS, first.atNs);
    const poses = dated.map(({ atNs, pose }): DatedPose => ({ atS: Number(atNs - first.atNs) / 1e9, pose }));
    const found = feltMetric(poses, tracks);
    if (found && !(best && best.sigma <= found.sigma)) best = found;
  }
  return best;
}

/** For an engine that is about to refine everything. */
export function feltUpright(felt: MetricAlignment | undefined): FeltUpright | undefined {
  return felt && { direction: [...felt.up], sigmaDeg: felt.upSigma * DEGREES };
}

/** The surer of what cameras tell of up and what was felt. */
export function surerUp(seen: Upright | undefined, felt: MetricAlignment | undefined): Upright | undefined {
  if (!felt) return seen;
  const sigmaDeg = felt.upSigma * DEGREES;
  if (seen && seen.sigmaDeg <= sigmaDeg) return seen;
  const tiltDeg = Math.acos(Math.max(-1, Math.min(1, felt.up[2] ?? 1))) * DEGREES;
  return { source: "gravity", sigmaDeg, tiltDeg };
}
