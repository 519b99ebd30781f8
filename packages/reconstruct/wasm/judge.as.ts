/**
 * What one view says about each pixel of another, see `dense/judge.ts`. The caller owns the memory; pointers are byte
 * offsets above `heapBase()`.
 */

/** The first byte that the caller may use. */
export function heapBase(): usize {
  return __heap_base;
}

function param(at: usize, index: usize): f32 {
  return load<f32>(at + (index << 2));
}

/**
 * @param width, height of the reference
 * @param depths `[height, width]` f32 and `normals` `[height, width, 3]` i8 of the reference
 * @param seenWidth, seenHeight, seen, seenNormals, sure the same of the witness, and `[seenHeight, seenWidth]` u8 how
 *   sure it is
 * @param params f32: `m` 9 and `b` 3 to the witness's pixels, `m` 9 and `b` 3 back, `turn` 9, the witness's pinhole 4,
 *   tolerance of depth, square of that of pixels, square of the least motion, least dot of normals, most slope, the
 *   part from which on a difference is clear, least sureness
 * @param bit what to set in `agree` `[height, width]` u8; `against`, as large, counts
 */
export function hear(
  width: i32,
  height: i32,
  depths: usize,
  normals: usize,
  seenWidth: i32,
  seenHeight: i32,
  seen: usize,
  seenNormals: usize,
  sure: usize,
  params: usize,
  bit: i32,
  agree: usize,
  against: usize,
): void {
  const m0 = param(params, 0),
    m1 = param(params, 1),
    m2 = param(params, 2);
  const m3 = param(params, 3),
    m4 = param(params, 4),
    m5 = param(params, 5);
  const m6 = param(params, 6),
    m7 = param(params, 7),
    m8 = param(params, 8);
  const b0 = param(params, 9),
    b1 = param(params, 10),
    b2 = param(params, 11);
  const k0 = param(params, 12),
    k1 = param(params, 13),
    k2 = param(params, 14);
  const k3 = param(params, 15),
    k4 = param(params, 16),
    k5 = param(params, 17);
  const k6 = param(params, 18),
    k7 = param(params, 19),
    k8 = param(params, 20);
  const c0 = param(params, 21),
    c1 = param(params, 22),
    c2 = param(params, 23);
  const t0 = param(params, 24),
    t1 = param(params, 25),
    t2 = param(params, 26);
  const t3 = param(params, 27),
    t4 = param(params, 28),
    t5 = param(params, 29);
  const t6 = param(params, 30),
    t7 = param(params, 31),
    t8 = param(params, 32);
  const ix: f32 = 1 / param(params, 33),
    iy: f32 = 1 / param(params, 34);
  const cx = param(params, 35),
    cy = param(params, 36);
  const tolerance = param(params, 37);
  const pixelSquare = param(params, 38);
  const leastMotion = param(params, 39);
  const leastDot = param(params, 40);
  const mostSlope = param(params, 41);
  const clearly = param(params, 42);
  const leastSure = <i32>param(params, 43);
  const right = <f32>seenWidth;
  const bottom = <f32>seenHeight;

  for (let row = 0; row < height; row++) {
    const y = <f32>row + 0.5;
    const p = m1 * y + m2;
    const q = m4 * y + m5;
    const r = m7 * y + m8;
    let at = <usize>(row * width);
    for (let column = 0; column < width; column++, at++) {
      const z = load<f32>(depths + (at << 2));
      if (!(z > 0)) continue;
      const x = <f32>column + 0.5;
      const w = (m6 * x + r) * z + b2;
      if (w <= 0) continue;
      const nearness: f32 = 1 / w;
      const u = ((m0 * x + p) * z + b0) * nearness;
      const v = ((m3 * x + q) * z + b1) * nearness;
      if (!(u >= 0 && v >= 0 && u < right && v < bottom)) continue;
      const seenX = <i32>u;
      const seenY = <i32>v;
      const hit = <usize>(seenY * seenWidth + seenX);
      let d = load<f32>(seen + (hit << 2));
      if (!(d > 0)) continue;
      // The depth of the witness's surface at the very place, not at the middle of its pixel.
      const n = seenNormals + hit * 3;
      const nx = <f32>load<i8>(n);
      const ny = <f32>load<i8>(n, 1);
      const nz = <f32>load<i8>(n, 2);
      const middleX = <f32>seenX + 0.5;
      const middleY = <f32>seenY + 0.5;
      const facing = nx * (middleX - cx) * ix + ny * (middleY - cy) * iy + nz;
      const facingHere = facing + nx * (u - middleX) * ix + ny * (v - middleY) * iy;
      const slope = facing / facingHere;
      if (slope > 1 - mostSlope && slope < 1 + mostSlope) d *= slope;
      const off = (d - w) * nearness;
      if (off > tolerance) {
        if (off > clearly && <i32>load<u8>(sure + hit) >= leastSure) {
          if (isOpen(seen, hit, seenX, seenY, seenWidth, seenHeight, w * (1 + tolerance))) {
            store<u8>(against + at, load<u8>(against + at) + 1);
          }
        }
        continue;
      }
      if (off < -tolerance) continue;
      // Pixels that the place would move in the witness if it were twice as far, to first order.
      const motionX = (u * b2 - b0) * nearness;
      const motionY = (v * b2 - b1) * nearness;
      if (motionX * motionX + motionY * motionY < leastMotion) continue;
      // The witness's surface point, seen from the reference.
      const back: f32 = 1 / ((k6 * u + k7 * v + k8) * d + c2);
      const ex = ((k0 * u + k1 * v + k2) * d + c0) * back - x;
      const ey = ((k3 * u + k4 * v + k5) * d + c1) * back - y;
      if (!(ex * ex + ey * ey <= pixelSquare)) continue;
      const o = normals + at * 3;
      const ox = <f32>load<i8>(o);
      const oy = <f32>load<i8>(o, 1);
      const oz = <f32>load<i8>(o, 2);
      const dot =
        nx * (t0 * ox + t1 * oy + t2 * oz) + ny * (t3 * ox + t4 * oy + t5 * oz) + nz * (t6 * ox + t7 * oy + t8 * oz);
      if (dot < leastDot) continue;
      store<u8>(agree + at, load<u8>(agree + at) | <u8>bit);
    }
  }
}

/** Whether the witness sees nothing nearer than `near` around a pixel either: at an edge a pixel beside it may. */
function isOpen(seen: usize, hit: usize, x: i32, y: i32, width: i32, height: i32, near: f32): bool {
  const at = seen + (hit << 2);
  if (x > 0 && covers(load<f32>(at - 4), near)) return false;
  if (x < width - 1 && covers(load<f32>(at + 4), near)) return false;
  if (y > 0 && covers(load<f32>(at - ((<usize>width) << 2)), near)) return false;
  return !(y < height - 1 && covers(load<f32>(at + ((<usize>width) << 2)), near));
}

function covers(depth: f32, near: f32): bool {
  return depth > 0 && depth <= near;
}
