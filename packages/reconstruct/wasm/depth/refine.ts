/**
 * The best plane for each pixel: tried are those of a map that is known already, there and nearby, then the best is
 * moved along the line of sight until the photos agree most.
 */
import { agreeing, prepare, score, variance } from "./patch";

let width: i32 = 0;
let stride: i32 = 0;
/** The known map: inverse depths, slopes across and down, sources that agreed. */
let known: usize = 0;
let knownPlane: usize = 0;
let knownWidth: i32 = 0;
let knownHeight: i32 = 0;
let knownStride: i32 = 0;
let halvings: i32 = 0;
let nearby: usize = 0;
let nearbyCount: i32 = 0;
/** The map to be made: the same four planes, then scores and bends. */
let made: usize = 0;
let madePlane: usize = 0;

const MOST_TRIED: i32 = 16;
const MOST_SHIFTS: i32 = 2;
const tried: usize = memory.data(64); // MOST_TRIED floats

/**
 * @param from planes of the known map, `knownStride · knownHeight · 4` bytes each: inverse depth, slope across, slope
 *   down (f32), sources (i32, one bit each)
 * @param half 1 when the known map has half the size, else 0
 * @param around `[count, 2]` i32: where else in the known map to look
 * @param to planes of the map to be made: as above, then score (-1 where there is no texture), bend (how much the
 *   score falls `step` away) (f32)
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
 * @param least variance of a window that has texture
 */
export function refineRows(
  fromY: i32,
  toY: i32,
  mask: i32,
  far: f32,
  near: f32,
  alike: f32,
  step: f32,
  least: f32,
): void {
  const scale: f32 = halvings > 0 ? 0.5 : 1;
  const inset: f32 = halvings > 0 ? 0.25 : 0;
  for (let y = fromY; y < toY; y++) {
    const knownY = min(y >> halvings, knownHeight - 1);
    const atY = <f32>y * scale - inset;
    for (let x = 0; x < width; x++) {
      const knownX = min(x >> halvings, knownWidth - 1);
      const atX = <f32>x * scale - inset;
      prepare(x, y);
      const textured = variance >= least;

      let inverse: f32 = 0;
      let across: f32 = 0;
      let down: f32 = 0;
      let best: f32 = -1;
      let seen = 0;
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
        const at = known + ((<usize>(fromY * knownStride + fromX)) << 2);
        let there = load<f32>(at);
        if (there <= 0) continue;
        const toRight = load<f32>(at + knownPlane);
        const toBelow = load<f32>(at + 2 * knownPlane);
        there += toRight * (atX - <f32>fromX) + toBelow * (atY - <f32>fromY);
        if (k < 0) there = max(far, min(near, there));
        if (there < far || there > near || wasTried(there, count, alike)) continue;
        store<f32>(tried + ((<usize>count) << 2), there);
        count++;
        const asked = mask !== 0 ? mask : load<i32>(at + 3 * knownPlane);
        const value = textured ? score(<f32>x, <f32>y, there, toRight * scale, toBelow * scale, asked) : <f32>-1;
        if (value > best || k < 0) {
          best = value;
          inverse = there;
          across = toRight * scale;
          down = toBelow * scale;
          seen = textured ? agreeing : asked;
        }
      }

      let bend: f32 = 0;
      if (textured && best > -1 && seen !== 0) {
        // Downhill on both sides, or as far as the way is short.
        let before = score(<f32>x, <f32>y, inverse - step, across, down, seen);
        let after = score(<f32>x, <f32>y, inverse + step, across, down, seen);
        for (let shift = 0; shift < MOST_SHIFTS; shift++) {
          if (before > best && before >= after) {
            after = best;
            best = before;
            inverse -= step;
            before = score(<f32>x, <f32>y, inverse - step, across, down, seen);
          } else if (after > best) {
            before = best;
            best = after;
            inverse += step;
            after = score(<f32>x, <f32>y, inverse + step, across, down, seen);
          } else break;
        }
        if (best >= before && best >= after && before > -1 && after > -1) {
          bend = best - 0.5 * (before + after);
          if (bend > 0) {
            const between: f32 = (0.25 * (after - before)) / bend;
            inverse += between * step;
            best += bend * between * between;
          }
        }
      }
      const at = made + ((<usize>(y * stride + x)) << 2);
      store<f32>(at, max(far, min(near, inverse)));
      store<f32>(at + madePlane, across);
      store<f32>(at + 2 * madePlane, down);
      store<i32>(at + 3 * madePlane, seen);
      store<f32>(at + 4 * madePlane, best);
      store<f32>(at + 5 * madePlane, bend);
    }
  }
}

function wasTried(inverse: f32, count: i32, alike: f32): bool {
  for (let i = 0; i < count; i++) {
    if (abs(load<f32>(tried + ((<usize>i) << 2)) - inverse) <= alike) return true;
  }
  return false;
}
