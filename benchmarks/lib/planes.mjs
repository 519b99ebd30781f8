/** Flat pieces of surface: which planes hold most of a cloud, one after the other (RANSAC, the same ones every time). */

const DRAWS = 400;
/** Of more points every so many one is asked which plane is best. */
const MOST_ASKED = 2000;

/**
 * @param points x, y, z in turn
 * @param reach how far from its plane a point may lie to belong to it; the best plane has most within a third of that
 * @param least part of all points: planes with fewer are left out, and so is what would come after them
 * @returns of each plane how many points belong to it, and the median of their distances
 */
export function planesOf(points, reach, most, least) {
  const random = seeded(7);
  const all = points.length / 3;
  const found = [];
  let left = Array.from({ length: all }, (_, i) => points.slice(3 * i, 3 * i + 3));
  while (found.length < most && left.length > Math.max(3, least * all)) {
    const plane = bestPlane(left, reach / 3, random);
    const off = left.map((p) => distanceTo(plane, p));
    const on = off.filter((each) => each <= reach).sort((a, b) => a - b);
    if (on.length < least * all) break;
    found.push({ count: on.length, offPlane: on[on.length >> 1] });
    left = left.filter((_, i) => off[i] > reach);
  }
  return found;
}

function bestPlane(points, reach, random) {
  const step = Math.max(1, Math.floor(points.length / MOST_ASKED));
  let best = { normal: [0, 0, 1], offset: 0 };
  let bestCount = -1;
  for (let draw = 0; draw < DRAWS; draw++) {
    const [p, q, r] = [0, 1, 2].map(() => points[Math.floor(random() * points.length)]);
    const [u, v] = [q, r].map((each) => [0, 1, 2].map((k) => each[k] - p[k]));
    const across = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    const length = Math.hypot(...across);
    if (length < 1e-12) continue;
    const normal = across.map((each) => each / length);
    const plane = { normal, offset: -(normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2]) };
    let count = 0;
    for (let k = 0; k < points.length; k += step) if (distanceTo(plane, points[k]) <= reach) count++;
    if (count > bestCount) [best, bestCount] = [plane, count];
  }
  return best;
}

function distanceTo({ normal, offset }, p) {
  return Math.abs(normal[0] * p[0] + normal[1] * p[1] + normal[2] * p[2] + offset);
}

function seeded(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
