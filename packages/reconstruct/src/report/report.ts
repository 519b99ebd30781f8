/** The report of a model, as protocol/src/report.ts describes it. Pure: reads the scene and changes nothing. */
import type { Doubt, EngineReport, Patch, PoseSigma, ReportLens, ReportPhoto, Verdict } from "@cairn/protocol";
import type { Pair } from "../mapper/pair.ts";
import { median, type Scene } from "../mapper/scene.ts";
import { observationErrorPx } from "../mapper/structure.ts";
import { gainOf, patchSize, surfacePatches } from "./coverage.ts";
import { componentsOf, holdingEdges, matchEdges, weakLinks } from "./match-graph.ts";

const ERROR_BIN_PX = 0.25;
const ERROR_BINS = 20;
/** Points seen by so many photos or more share one count. */
const MAX_TRACK = 20;
const MAX_SPREAD_VIEWS = 6;
const MAX_WEAKEST = 200;

export type ReportSources = {
  readonly scene: Scene;
  readonly pairs: readonly Pair[];
  /** The last word on each view. */
  readonly verdictOf: (view: number) => Verdict;
  /** Of a view without a pose: the one it looks most like, and by how many matches. */
  readonly nearestOf: (view: number) => { readonly view: number; readonly matches: number } | undefined;
  readonly sigmas: ReadonlyMap<number, PoseSigma>;
  readonly lenses: readonly Omit<ReportLens, "photos">[];
  readonly doubts: Doubt[];
};

export function engineReport({
  scene,
  pairs,
  verdictOf,
  nearestOf,
  sigmas,
  lenses,
  doubts,
}: ReportSources): EngineReport {
  const edges = matchEdges(scene, pairs);
  const { reprojection, tracks, points } = structureReport(scene);
  return {
    photos: scene.views.map(({ index, photo }): ReportPhoto => {
      const verdict = verdictOf(index);
      const sigma = scene.isPosed(index) ? sigmas.get(index) : undefined;
      const nearest = scene.isPosed(index) ? undefined : nearestOf(index);
      return {
        ...verdict,
        name: photo.name,
        ...(sigma && { sigma }),
        ...(nearest && { nearest: { photo: nearest.view, matches: nearest.matches } }),
      };
    }),
    points,
    reprojection,
    tracks,
    graph: {
      edges,
      components: componentsOf(scene.views.length, edges).map((photos) => ({
        photos,
        posed: photos.filter((view) => scene.isPosed(view)).length,
      })),
      weakLinks: weakLinks(scene.views.length, holdingEdges(edges)),
    },
    lenses: lenses
      .map((lens, index) => ({ ...lens, photos: scene.views.filter((view) => view.lens === index).length }))
      .filter(({ photos }) => photos > 0),
    doubts,
    coverage: coverageReport(scene),
  };
}

/** Errors and lengths of the points that at least two photos see. */
function structureReport(scene: Scene): Pick<EngineReport, "reprojection" | "tracks" | "points"> {
  const errors: number[] = [];
  const counts = new Array<number>(ERROR_BINS).fill(0);
  const lengths = new Array<number>(MAX_TRACK + 1).fill(0);
  let points = 0;
  let observations = 0;
  for (const track of scene.tracks.all()) {
    if (!track.point) continue;
    const from = errors.length;
    for (let k = 0; k < track.views.length; k++) {
      const view = track.views[k];
      if (!track.fits[k] || !scene.isPosed(view)) continue;
      const errorPx = observationErrorPx(scene, track.point, view, track.features[k]) * scene.views[view].fullScale;
      if (Number.isFinite(errorPx)) errors.push(errorPx);
    }
    const length = errors.length - from;
    if (length < 2) {
      errors.length = from;
      continue;
    }
    for (let i = from; i < errors.length; i++) counts[Math.min(ERROR_BINS - 1, Math.floor(errors[i] / ERROR_BIN_PX))]++;
    lengths[Math.min(MAX_TRACK, length)]++;
    points++;
    observations += length;
  }
  return {
    points,
    reprojection: {
      meanPx: observations === 0 ? 0 : errors.reduce((sum, each) => sum + each, 0) / observations,
      medianPx: median(errors),
      histogramPx: { bin: ERROR_BIN_PX, counts },
    },
    tracks: { meanViews: points === 0 ? 0 : observations / points, counts: lengths },
  };
}

function coverageReport(scene: Scene): EngineReport["coverage"] {
  const edge = patchSize(scene);
  const patches = surfacePatches(scene, edge);
  const bySpreadViews = new Array<number>(MAX_SPREAD_VIEWS + 1).fill(0);
  for (const { spreadViews } of patches) bySpreadViews[Math.min(MAX_SPREAD_VIEWS, spreadViews)]++;
  const weakest = patches
    .map(({ seenBy: _, ...patch }): Patch => patch)
    .sort((p, q) => gainOf(q) - gainOf(p))
    .slice(0, MAX_WEAKEST);
  return { patch: scene.posed.length === 0 ? 0 : edge, patches: patches.length, bySpreadViews, weakest };
}
