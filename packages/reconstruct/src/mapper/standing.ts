/** How photos without a pose stand to the others: what the verdicts make their reasons of. */
import { composePoses, invertPose, rotationAngle } from "@cairn/geometry";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** What is known of a photo that has no pose. */
export type Standing = {
  /** How its strongest tie to another photo looks. */
  readonly tie: Pair["kind"];
  /** Widest median angle under which it and another photo see the same. */
  readonly angleRad: number;
  /** Whether photos that have a pose are among those it is tied to. */
  readonly tiedToScene: boolean;
  /** Points of the scene that its features are matched with. */
  readonly seen: number;
  /** Its ties to photos with a pose say different things about how it is turned. */
  readonly contradictory: boolean;
  /** Photos of the separate place that it belongs to; 0 for none. */
  readonly place: number;
};

/** Two-view geometry of sound pairs agrees far better. */
const SAME_TURN_RAD = (8 * Math.PI) / 180;
const STRENGTH = { rotation: 0, planar: 1, general: 2 } as const;

/** Of every view that has ties and no pose. @param placeOf photos of the separate place a view belongs to */
export function standingsOf(
  scene: Scene,
  pairs: readonly Pair[],
  placeOf: (view: number) => number,
): Map<number, Standing> {
  const tiesOf = new Map<number, Pair[]>();
  for (const pair of pairs) {
    for (const view of [pair.a, pair.b]) {
      if (scene.isPosed(view)) continue;
      const ties = tiesOf.get(view);
      if (ties) ties.push(pair);
      else tiesOf.set(view, [pair]);
    }
  }
  const standings = new Map<number, Standing>();
  for (const [view, ties] of tiesOf) {
    const toScene = ties.filter(({ a, b }) => scene.isPosed(a === view ? b : a));
    standings.set(view, {
      tie: ties.reduce<Pair["kind"]>((best, { kind }) => (STRENGTH[kind] > STRENGTH[best] ? kind : best), "rotation"),
      angleRad: Math.max(...ties.map(({ angleRad }) => angleRad)),
      tiedToScene: toScene.length > 0,
      seen: toScene.length > 0 ? pointsSeen(scene, view) : 0,
      contradictory: turnsDisagree(scene, toScene, view),
      place: placeOf(view),
    });
  }
  return standings;
}

function pointsSeen(scene: Scene, view: number): number {
  let seen = 0;
  for (const [, track] of scene.tracks.ofView(view)) if (track.point) seen++;
  return seen;
}

function turnsDisagree(scene: Scene, ties: readonly Pair[], view: number): boolean {
  const turns = ties.map(({ a, b, pose }) =>
    view === b ? composePoses(pose, scene.pose(a)) : composePoses(invertPose(pose), scene.pose(b)),
  );
  return turns.some((turn, i) => turns.slice(0, i).some((other) => rotationAngle(turn, 0, other, 0) > SAME_TURN_RAD));
}
