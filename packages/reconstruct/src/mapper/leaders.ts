/**
 * Which observations cameras are adjusted by where hundreds of photos see the same points. A step of an adjustment costs
 * by the square of a point's photos, and the hundredth of them says little that some others have not said. Beyond a
 * bound every photo is heard on so many points as it needs, well spread over it, and every point in so many photos as
 * place it: the cost then goes with the number of photos. All points are fitted to the cameras afterwards, by all that
 * see them. Below the bound everything is heard. Choosing tracks is usual in large models: Cui et al., "Tracks selection
 * for robust, efficient and scalable large-scale structure from motion", Pattern Recognition 2017.
 */
import { cameraCentre, seededRandom } from "@cairn/geometry";
import type { Scene } from "./scene.ts";
import type { Witnessed } from "./witnesses.ts";

/** Σ photos² of the points: what a step costs. Scenes of some dozens of photos stay far below. */
const WHOLE_COST = 2e6;
/** A photo is parted into so many cells across and down … */
const GRID = 5;
/** … and is heard in each on so many points, where it has them. */
const PER_CELL = 16;
/** On so many points it is heard wherever they are. */
export const LEAST_HEARD = 200;
/** A point is heard in so many photos; in more where these have too few points. */
export const MOST_VIEWS = 16;
/** In fewer photos than this nothing is said about a point that they do not say themselves. */
export const FEWEST_VIEWS = 6;
/** Around a few free photos: so many observations are no matter … */
const WHOLE_NEIGHBOURHOOD = 60_000;
/** … of more, so many held photos say where a point is. */
export const MOST_HELD = 12;

/** What must be known of a track: where in its photos it is, and how much it says. */
export type Sighted = {
  /** Photos that see it, once each. */
  readonly views: readonly number[];
  /** Of each photo, the cell of it, 0 … GRID² − 1. */
  readonly cells: readonly number[];
  /** Tracks with more of it come first. */
  readonly worth: number;
};

/** @returns the tracks that cameras are adjusted by, each with the photos that are heard; all where that is cheap */
export function chooseLeaders(scene: Scene, tracks: readonly Witnessed[]): readonly Witnessed[] {
  if (costOf(tracks) <= WHOLE_COST) return tracks;
  const centres = new Map(scene.posed.map((view) => [view, cameraCentre(scene.poses, view * 12)]));
  const heard = pickHeard(tracks.map((each) => sighted(scene, centres, each)));
  return tracks.flatMap(({ track }, k) => (heard[k].length > 0 ? [{ track, views: heard[k] }] : []));
}

/**
 * The same where only a few photos move: all that see a point of theirs hold it, and a dozen do that as well as a hundred.
 * @returns the same tracks in the same order, with fewer of the photos that are held where there are very many
 */
export function hearFewHeld(tracks: readonly Witnessed[], free: ReadonlySet<number>): readonly Witnessed[] {
  const observations = tracks.reduce((sum, { views }) => sum + views.length, 0);
  if (observations <= WHOLE_NEIGHBOURHOOD) return tracks;
  return tracks.map(({ track, views }, k) => {
    if (views.length <= MOST_HELD) return { track, views };
    const held = shuffled(views.length, k + 1).filter((at) => !free.has(views[at]));
    const heard = new Set(held.slice(0, MOST_HELD).map((at) => views[at]));
    return { track, views: views.filter((view) => free.has(view) || heard.has(view)) };
  });
}

/** What a step over these tracks costs. */
export function costOf(tracks: readonly Pick<Sighted, "views">[]): number {
  return tracks.reduce((sum, { views }) => sum + views.length ** 2, 0);
}

/** @returns of each track the photos that are heard, in its own order; none where others say enough */
export function pickHeard(tracks: readonly Sighted[]): number[][] {
  const heard = tracks.map(() => new Set<number>());
  const inCell = new Map<number, number>();
  const inView = new Map<number, number>();
  const hear = (k: number, at: number) => {
    const view = tracks[k].views[at];
    if (heard[k].has(view)) return;
    heard[k].add(view);
    const cell = cellOf(tracks[k], at);
    inCell.set(cell, (inCell.get(cell) ?? 0) + 1);
    inView.set(view, (inView.get(view) ?? 0) + 1);
  };
  const order = [...tracks.keys()].sort((p, q) => tracks[q].worth - tracks[p].worth || p - q);
  // Any photos of a point: those next to one another, or of one spot, would say the same.
  const mixed = tracks.map(({ views }, k) => shuffled(views.length, k + 1));
  for (const k of order) {
    const needy = mixed[k].filter((at) => (inCell.get(cellOf(tracks[k], at)) ?? 0) < PER_CELL);
    if (needy.length < Math.min(FEWEST_VIEWS, tracks[k].views.length)) continue;
    for (const at of needy.slice(0, MOST_VIEWS)) hear(k, at);
  }
  // Where there are fewer points than that asks for, each is heard in more photos, as evenly as it goes.
  for (let most = MOST_VIEWS, rest = order; rest.length > 0; most *= 1.5) {
    for (const k of rest) {
      const needy = mixed[k].filter((at) => (inView.get(tracks[k].views[at]) ?? 0) < LEAST_HEARD);
      for (const at of needy) if (heard[k].size < most) hear(k, at);
      for (const at of mixed[k]) if (heard[k].size > 0 && heard[k].size < FEWEST_VIEWS) hear(k, at);
    }
    rest = rest.filter((k) => heard[k].size >= most && heard[k].size < tracks[k].views.length);
  }
  return tracks.map(({ views }, k) => views.filter((view) => heard[k].has(view)));
}

const cellOf = ({ views, cells }: Sighted, at: number) => views[at] * GRID * GRID + cells[at];

/** 0 … n − 1 in a random order (Fisher & Yates). */
function shuffled(n: number, seed: number): number[] {
  const random = seededRandom(seed);
  const order = Array.from({ length: n }, (_, k) => k);
  for (let k = n - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1));
    [order[k], order[other]] = [order[other], order[k]];
  }
  return order;
}

function sighted(scene: Scene, centres: ReadonlyMap<number, Float64Array>, { track, views }: Witnessed): Sighted {
  const cells = views.map((view) => {
    const { places, photo } = scene.views[view];
    const feature = track.features[track.views.indexOf(view)];
    return GRID * cellAlong(places.y[feature] / photo.heightPx) + cellAlong(places.x[feature] / photo.widthPx);
  });
  return {
    views,
    cells,
    worth: spreadOf(
      views.map((view) => centres.get(view)!),
      track.point!,
    ),
  };
}

const cellAlong = (part: number) => Math.min(GRID - 1, Math.max(0, Math.floor(GRID * part)));

/** How many photos, each by how far off the mean direction it sees the point: Σ (1 − cos²) about it. */
function spreadOf(centres: readonly Float64Array[], point: Float64Array): number {
  const sum = [0, 0, 0];
  for (const centre of centres) {
    const [x, y, z] = [centre[0] - point[0], centre[1] - point[1], centre[2] - point[2]];
    const length = Math.hypot(x, y, z) || 1;
    sum[0] += x / length;
    sum[1] += y / length;
    sum[2] += z / length;
  }
  // Of unit vectors n − |Σ|²/n is the sum of squared distances from their mean.
  return centres.length - Math.hypot(...sum) ** 2 / centres.length;
}
