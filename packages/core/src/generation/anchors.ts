/** Anchors: points that keep their place in the scene from generation to generation. Rules GENR-10 to GENR-12. */
import {
  type AnchorState,
  CairnError,
  type CairnEvent,
  type EventDraft,
  type Id,
  type PosedCamera,
  type SpaceState,
  shownGeneration,
  type Vec3,
} from "@cairn/protocol";
import { carryPoints } from "@cairn/reconstruct";
import type { Space } from "../space/spaces.ts";
import { readGeneration } from "./history.ts";

/** More would make every rebuild long: each costs up to half a millisecond where there are 5,000 cameras. */
const MOST_ANCHORS = 1000;

/**
 * Places an anchor, or moves it. One that was pointed at in an earlier generation is brought into the shown one.
 * @throws {CairnError} `export.empty` without a model, `generation.missing`, `space.quota`
 */
export async function placeAnchor(
  space: Space,
  anchor: Id,
  { point, label, generation }: { point: Vec3; label?: string; generation?: number },
): Promise<AnchorState> {
  const { state } = space.log.snapshot();
  if (state.generation === 0) throw new CairnError("export.empty");
  const seen = generation ?? state.generation;
  if (seen > state.generation) throw new CairnError("generation.missing", { generation: seen });
  if (!state.anchors[anchor] && Object.keys(state.anchors).length >= MOST_ANCHORS) {
    throw new CairnError("space.quota", { anchors: MOST_ANCHORS });
  }
  const data = { anchor, generation: seen, point, ...(label === undefined ? {} : { label }) };
  await space.log.append([{ type: "anchor.placed", data }]);
  await settleAnchors(space);
  return structuredClone(space.log.snapshot().state.anchors[anchor]) ?? { ...data, placedIn: seen };
}

/** @throws {CairnError} `anchor.missing` */
export async function removeAnchor(space: Space, anchor: Id): Promise<CairnEvent[]> {
  if (!Object.hasOwn(space.log.snapshot().state.anchors, anchor)) throw new CairnError("anchor.missing", { anchor });
  return space.log.append([{ type: "anchor.removed", data: { anchor } }]);
}

/**
 * Every anchor of the shown generation, in a new one. Those of an older generation are left to {@link settleAnchors}.
 * @param cameras of the new generation
 * @param known where an anchor is for certain, if it is
 */
export function carriedAnchors(
  state: SpaceState,
  generation: number,
  cameras: readonly PosedCamera[],
  known: (anchor: AnchorState) => Vec3 | undefined = () => undefined,
): EventDraft[] {
  const anchors = Object.values(state.anchors).filter((each) => each.generation === state.generation);
  return carried(anchors, generation, Object.values(shownGeneration(state)?.cameras ?? {}), cameras, known);
}

/**
 * Brings anchors along that were placed while a new generation was being published, or by someone who still saw an
 * older one. Where that one's cameras are gone they keep their coordinates.
 */
export async function settleAnchors(space: Space): Promise<void> {
  const { state } = space.log.snapshot();
  const late = Object.values(state.anchors).filter((each) => each.generation < state.generation);
  for (const generation of new Set(late.map((each) => each.generation))) {
    const before = await readGeneration(space.log, generation).catch((error: unknown) => {
      if (error instanceof CairnError && error.code.startsWith("generation.")) return undefined;
      throw error;
    });
    // Read again: while the log was read the next generation may have come, or the anchor may have been moved.
    const now = space.log.snapshot().state;
    const still = Object.values(now.anchors).filter((each) => each.generation === generation);
    const cameras = Object.values(shownGeneration(now)?.cameras ?? {});
    const drafts = carried(still, now.generation, [...(before?.cameras.values() ?? [])], cameras);
    if (drafts.length > 0) await space.log.append(drafts);
  }
}

function carried(
  anchors: readonly AnchorState[],
  generation: number,
  before: readonly PosedCamera[],
  after: readonly PosedCamera[],
  known: (anchor: AnchorState) => Vec3 | undefined = () => undefined,
): EventDraft[] {
  if (anchors.length === 0) return [];
  const points = carryPoints(
    anchors.map((each) => each.point),
    before,
    after,
  );
  return anchors.map((each, i): EventDraft => {
    const { anchor, label, point: from } = each;
    const point = known(each) ?? points[i] ?? from;
    const data = { anchor, generation, point, ...(label === undefined ? {} : { label }), carried: true, from };
    return { type: "anchor.placed", data };
  });
}
