/** A scene with true poses from synthetic photos, and its pairs, without the work of finding them. */
import { poseFromRotation, relativePose } from "@cairn/geometry";
import type { GrowOptions } from "../mapper/grow.ts";
import type { Lens } from "../mapper/lens.ts";
import type { Pair } from "../mapper/pair.ts";
import { Scene } from "../mapper/scene.ts";
import { joinPair } from "../mapper/scene-building.ts";
import { triangulateTracks } from "../mapper/structure.ts";
import { Lenses, makeView, type View } from "../mapper/view.ts";
import type { Synthetic } from "./synthetic.ts";

/** Photos with their truth, tied pair by pair as `tied` says; nothing is posed yet. Photos come with a calibration. */
export async function tiedViews(
  synthetic: Synthetic,
  tied: (a: number, b: number) => boolean,
): Promise<{ views: View[]; calibrations: Float64Array; pairs: Pair[] }> {
  const lenses = new Lenses();
  const views: View[] = [];
  let calibrations = new Float64Array(0);
  for (const [index, photo] of synthetic.photos.entries()) {
    const features = await synthetic.kernels.extract(photo.rgb, photo.widthPx, photo.heightPx);
    const { lens, principal, calibration } = lenses.add(photo);
    if (calibration) calibrations = Float64Array.from([...calibrations, ...calibration]);
    views.push(makeView(index, photo, lens, principal, features));
  }
  const pairs: Pair[] = [];
  for (const { index: b } of views) {
    for (let a = 0; a < b; a++) {
      if (!tied(a, b)) continue;
      const [found] = await synthetic.kernels.matchMany(views[a].features, [views[b].features]);
      const matches = Int32Array.from(found);
      if (matches.length < 50) continue;
      const pose = relativePose(truePose(synthetic, a), truePose(synthetic, b));
      const focals = [calibrations[0], calibrations[0]] as const;
      pairs.push({ a, b, matches, kept: matches, pose, angleRad: 0.1, kind: "general", focals, errorPx: 2 });
    }
  }
  return { views, calibrations, pairs };
}

/** How a scene of photos with one lens is refined when nothing is doubted and nobody watches. */
export function refining(lens: Lens): GrowOptions {
  return {
    lenses: [lens],
    seed: 1,
    certain: () => true,
    rule: () => "lax",
    stop: () => {},
    doubted: new Set(),
    stage: () => {},
  };
}

/** A scene that holds these views where `poseOf` says, with the points that the pairs give. */
export function posedScene(
  { views, calibrations, pairs }: Awaited<ReturnType<typeof tiedViews>>,
  held: readonly number[],
  poseOf: (view: number) => Float64Array,
): Scene {
  const scene = new Scene(views);
  scene.calibrations = calibrations.slice();
  for (const view of views) scene.addView(view);
  for (const pair of pairs) joinPair(scene.tracks, pair);
  for (const view of held) scene.setPose(view, poseOf(view));
  triangulateTracks(scene, 4);
  return scene;
}

export function truePose({ truth }: Pick<Synthetic, "truth">, view: number): Float64Array {
  const { rows, eye } = truth[view];
  const shift = rows.map((row) => -(row[0] * eye[0] + row[1] * eye[1] + row[2] * eye[2]));
  return poseFromRotation(Float64Array.from(rows.flat()), Float64Array.from(shift));
}
