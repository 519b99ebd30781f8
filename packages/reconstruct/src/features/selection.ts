/** Chooses which keypoints of a photo are described: strong ones, spread over the photo. */

/** A keypoint before it is described. Places in pixels of its octave, centre of the first pixel at 0. */
export type Keypoint = {
  readonly octave: number;
  readonly level: number;
  readonly octaveX: number;
  readonly octaveY: number;
  readonly octaveSigma: number;
  /** Pixels of the photo, centre of the first pixel at 0.5. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
  readonly response: number;
};

const GRID = 8;
/** A cell of the grid may hold this many times its even share before the rest has had its turn. */
const CELL_SHARE = 1.6;

/** At most `most` keypoints, the ones to describe first in front. */
export function selectKeypoints(
  keypoints: readonly Keypoint[],
  widthPx: number,
  heightPx: number,
  most: number,
): Keypoint[] {
  const strongest = [...keypoints].sort(byResponse);
  if (strongest.length <= most) return strongest;
  const limit = Math.ceil((most / (GRID * GRID)) * CELL_SHARE);
  const held = new Uint32Array(GRID * GRID);
  const chosen: Keypoint[] = [];
  const rest: Keypoint[] = [];
  for (const keypoint of strongest) {
    const column = Math.min(GRID - 1, Math.floor((keypoint.x / widthPx) * GRID));
    const row = Math.min(GRID - 1, Math.floor((keypoint.y / heightPx) * GRID));
    const cell = row * GRID + column;
    if (held[cell] < limit) {
      held[cell]++;
      chosen.push(keypoint);
    } else {
      rest.push(keypoint);
    }
  }
  return chosen.concat(rest).slice(0, most);
}

/** Strongest first; the place decides among equals, so that the order never depends on the sort. */
function byResponse(a: Keypoint, b: Keypoint): number {
  return b.response - a.response || a.y - b.y || a.x - b.x || a.scale - b.scale;
}
