/**
 * The best plane for each pixel: tried are those of a map that is known already, there and nearby, then the best is
 * moved along the line of sight until the photos agree most.
 */
import { agreeing, prepare, score, variance } from "./patch";

let width: i32 = 0;
let stride: i32 = 0;
/** The known map. */
let known: usize = 0;
let knownPlane: usize = 0;
let knownWidth: i32 = 0;
let knownHeight: i32 = 0;
let knownStride: i32 = 0;
let halvings: i32 = 0;
let nearby: usize = 0;
let nearbyCount: i32 = 0;
/** The map to be made. */
let made: usize = 0;
let madePlane: usize = 0;

/** Bend of a score from which on depth is certain. */
const SETTLED_BEND: f32 = 0.02;
const MOST_TRIED: i32 = 16;
const MOST_SHIFTS: f32 = 4;
const tried: usize = memory.data(64); // MOST_TRIED floats

/**
 * @param from planes of the known map, `knownStride · knownHeight · 4` bytes each: (one that is not read), slope
 *   across, slope down (f32), sources (i32, one bit each), (two that are not read), inverse depth (f32)
 * @param half 1 when the known map has half the size, else 0
 * @param around `[count, 2]` i32: where else in the known map to look
 * @param to planes of the map to be made: inverse depth, slopes, sources, score (-1 where there is no texture), bend
 *   (how much the score falls for one pixel of motion) (f32)
 */
export function setCandidates(
  from: usize,
  fromWidth: i32,
  fromHeight: i32,
  fromStride: i32,
  half: i32,
  around: usize,
  count: i32,
  to: usize,
  toWidth: i32,
  toHeight: i32,
  toStride: i32,
): void {
  known = from;
  knownWidth = fromWidth;
  knownHeight = fromHeight;
  knownStride = fromStride;
  knownPlane = (<usize>(fromStride * fromHeight)) << 2;
  halvings = half;
  nearby = around;
  nearbyCount = count;
  made = to;
  width = toWidth;
  stride = toStride;
  madePlane = (<usize>(toStride * toHeight)) << 2;
}

/**
 * @param mask the sources to ask about each candidate; 0 asks those that agreed on it in the known map
 * @param far least inverse depth
 * @param near largest inverse depth
 * @param alike inverse depths no further apart are the same candidate
 * @param step along the line of sight, inverse depth
 * @param stepPx the same as motion, pixels
 * @param trust what a pixel's motion away from the known plane costs in score, at one pixel
 * @param least variance of a window that has texture
 * @param settled in a round at the same size, what is no further off its plane, inverse depth, is left as it is
 * @param inherit what part of its score a plane brings with it from half the size, to where it stays what it was
 */
export function refineRows(
  fromY: i32,
  toY: i32,
  mask: i32,
  far: f32,
  near: f32,
  alike: f32,
  step: f32,
  stepPx: f32,
  trust: f32,
  least: f32,
  settled: f32,
  inherit: f32,
): void {
  const scale: f32 = halvings > 0 ? 0.5 : 1;
  const inheritance: f32 = halvings > 0 ? inherit : 1;
  const inset: f32 = halvings > 0 ? 0.25 : 0;
  for (let y = fromY; y < toY; y++) {
    const knownY = min(y >> halvings, knownHeight - 1);
    const atY = <f32>y * scale - inset;
    for (let x = 0; x < width; x++) {
      const knownX = min(x >> halvings, knownWidth - 1);
      const atX = <f32>x * scale - inset;
      const at = (<usize>(y * stride + x)) << 2;
      if (settled > 0 && isSettled(known + at, settled)) {
        for (let plane: usize = 0; plane < 6; plane++) {
          store<f32>(made + at + plane * madePlane, load<f32>(known + at + plane * knownPlane));
        }
        continue;
      }
      prepare(x, y);
      const textured = variance >= least;

      let inverse: f32 = 0;
      let across: f32 = 0;
      let down: f32 = 0;
      let best: f32 = -1;
      let seen = 0;
      let start: f32 = 0;
      let heir: f32 = -1;
      let count = 0;
      for (let k = -1; k < nearbyCount; k++) {
        let fromX = knownX;
        let fromY = knownY;
        if (k >= 0) {
          if (!textured || count >= MOST_TRIED) break;
          const offset = nearby + ((<usize>k) << 3);
          fromX += load<i32>(offset);
          fromY += load<i32>(offset, 4);
          if (fromX < 0 || fromY < 0 || fromX >= knownWidth || fromY >= knownHeight) continue;
        }
        const from = known + ((<usize>(fromY * knownStride + fromX)) << 2);
        let there = load<f32>(from + 6 * knownPlane);
        if (there <= 0) continue;
        const toRight = load<f32>(from + knownPlane);
        const toBelow = load<f32>(from + 2 * knownPlane);
        there += toRight * (atX - <f32>fromX) + toBelow * (atY - <f32>fromY);
        if (k < 0) there = max(far, min(near, there));
        if (there < far || there > near || wasTried(there, count, alike)) continue;
        store<f32>(tried + ((<usize>count) << 2), there);
        count++;
        const asked = mask !== 0 ? mask : load<i32>(from + 3 * knownPlane);
        const value = textured ? score(<f32>x, <f32>y, there, toRight * scale, toBelow * scale, asked) : <f32>-1;
        if (value > best || k < 0) {
          best = value;
          inverse = there;
          start = there;
          heir = load<f32>(from + 4 * knownPlane) * inheritance;
          across = toRight * scale;
          down = toBelow * scale;
          seen = textured ? agreeing : asked;
        }
      }

      let bend: f32 = 0;
      let found = false;
      if (textured && best > -1 && seen !== 0) {
        // Uphill as far as the way is short. The farther from the known plane, the more must speak for it.
        const toll: f32 = trust * stepPx * stepPx;
        let before = score(<f32>x, <f32>y, inverse - step, across, down, seen) - toll;
        let after = score(<f32>x, <f32>y, inverse + step, across, down, seen) - toll;
        let paid: f32 = 0;
        for (let shift: f32 = 2; shift < MOST_SHIFTS; shift++) {
          if (before > best && before >= after) {
            after = best;
            best = before;
            inverse -= step;
            paid = toll * (shift - 1) * (shift - 1);
            before = score(<f32>x, <f32>y, inverse - step, across, down, seen) - toll * shift * shift;
          } else if (after > best) {
            before = best;
            best = after;
            inverse += step;
            paid = toll * (shift - 1) * (shift - 1);
            after = score(<f32>x, <f32>y, inverse + step, across, down, seen) - toll * shift * shift;
          } else break;
        }
        if (best >= before && best >= after && before > -1 && after > -1) {
          const fall = best - 0.5 * (before + after);
          const between: f32 = fall > 0 ? (0.25 * (after - before)) / fall : 0;
          inverse += between * step;
          best += fall * between * between;
          bend = max<f32>(0, fall - toll) / (stepPx * stepPx);
          found = bend > 0;
        }
        best += paid;
      }
      if (!found) best = -1;
      if (textured && abs(inverse - start) <= alike) best = max(best, heir);
      store<f32>(made + at, max(far, min(near, inverse)));
      store<f32>(made + at + madePlane, across);
      store<f32>(made + at + 2 * madePlane, down);
      store<i32>(made + at + 3 * madePlane, seen);
      store<f32>(made + at + 4 * madePlane, best);
      store<f32>(made + at + 5 * madePlane, bend);
    }
  }
}

/** Certain where it is, and on the plane of its neighbours. */
function isSettled(at: usize, settled: f32): bool {
  const off = abs(load<f32>(at) - load<f32>(at + 6 * knownPlane));
  return load<f32>(at) > 0 && off < settled && load<f32>(at + 5 * knownPlane) > SETTLED_BEND;
}

function wasTried(inverse: f32, count: i32, alike: f32): bool {
  for (let i = 0; i < count; i++) {
    if (abs(load<f32>(tried + ((<usize>i) << 2)) - inverse) <= alike) return true;
  }
  return false;
}
