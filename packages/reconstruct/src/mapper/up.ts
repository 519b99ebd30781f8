/** What a scene knows of which way is up: how its cameras are held, what was felt with them, the straight edges they see, and their GPS. */
import { cameraCentre, normalisedFromPixels, quaternionOfSimilarity } from "@cairn/geometry";
import type { Similarity } from "@cairn/protocol";
import type { FeltUpright } from "../engine.ts";
import { type Up, upOf, uprightTurn } from "../generation/upright.ts";
import type { PlumbCandidate } from "../generation/verticals.ts";
import { type Scene, spread } from "./scene.ts";

/** Lines of so many photos, evenly spread, are enough. */
const LINE_VIEWS = 40;

export function upOfScene(scene: Scene, seed: number, carried?: FeltUpright): Up | undefined {
  const poses = scene.posed.map((view) => scene.pose(view));
  const gravities = scene.posed.map((view) => scene.views[view].photo.gravity);
  const lines = spread(scene.posed, LINE_VIEWS).flatMap((view) => linesOf(scene, view));
  const places = scene.posed.flatMap((view) => {
    const { gps } = scene.views[view].photo;
    return gps ? [{ gps, centre: cameraCentre(scene.poses, view * 12) }] : [];
  });
  return upOf({ poses, gravities, lines, places, carried, seed });
}

type TurnOptions = {
  /** Whether somebody has seen the scene's frame. */
  readonly seen: boolean;
  readonly carried?: FeltUpright | undefined;
};

/** Turns a scene upright around its first camera. @returns how, where that is known and it was not */
export function turnUpright(scene: Scene, seed: number, { seen, carried }: TurnOptions): Similarity | undefined {
  const first = scene.posed[0];
  if (first === undefined) return undefined;
  const up = upOfScene(scene, seed, carried);
  const turn = up && uprightTurn(up, cameraCentre(scene.poses, first * 12), seen);
  if (!turn) return undefined;
  scene.transform(turn);
  return quaternionOfSimilarity(turn);
}

function linesOf(scene: Scene, view: number): PlumbCandidate[] {
  const { lens, segments } = scene.views[view];
  const ends = normalisedFromPixels(scene.calibration(lens), segments);
  const pose = scene.pose(view);
  const found: PlumbCandidate[] = [];
  for (let k = 0; k < ends.length; k += 4) {
    const [ax, ay, bx, by] = ends.subarray(k, k + 4);
    const normal = [ay - by, bx - ax, ax * by - ay * bx];
    const length = Math.hypot(...normal);
    const lengthRad = Math.asin(Math.min(1, length / (Math.hypot(ax, ay, 1) * Math.hypot(bx, by, 1))));
    if (!(lengthRad > 0)) continue;
    const inWorld = [0, 1, 2].map(
      (i) => (pose[i] * normal[0] + pose[4 + i] * normal[1] + pose[8 + i] * normal[2]) / length,
    );
    found.push({ view, normal: inWorld, lengthRad });
  }
  return found;
}
