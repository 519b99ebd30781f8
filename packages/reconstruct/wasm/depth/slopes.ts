/**
 * The plane through each pixel of an inverse depth map and those around it that lie on the same surface.
 */

/**
 * Least squares over 5 × 5 pixels, three times: at first neighbours count by how little they differ from the middle,
 * then by how well they lie on the plane found before, so that what is on the other side of an edge does not count.
 *
 * @param inverse plane of floats; 0 where nothing is known
 * @param tolerance what two neighbouring pixels of a surface may differ by: about what one pixel of shift means
 * @param across out: slope to the right; 0 where nothing is known
 * @param down out: slope downwards
 */
export function fitSlopes(
  inverse: usize,
  width: i32,
  height: i32,
  stride: i32,
  tolerance: f32,
  across: usize,
  down: usize,
): void {
  const scale: f32 = 1 / (tolerance * tolerance);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < stride; x++) {
      const at = (<usize>(y * stride + x)) << 2;
      const middle = load<f32>(inverse + at);
      let gx: f32 = 0;
      let gy: f32 = 0;
      if (middle > 0 && x < width) {
        for (let round = 0; round < 3; round++) {
          const times = 1 + 3 * round;
          const strictness = scale * <f32>times;
          // The plane goes through the middle: two unknowns.
          let xx: f32 = 0;
          let xy: f32 = 0;
          let yy: f32 = 0;
          let xz: f32 = 0;
          let yz: f32 = 0;
          for (let dy = max(-2, -y); dy <= min(2, height - 1 - y); dy++) {
            const row = inverse + ((<usize>((y + dy) * stride)) << 2);
            for (let dx = max(-2, -x); dx <= min(2, width - 1 - x); dx++) {
              const value = load<f32>(row + ((<usize>(x + dx)) << 2));
              if (value <= 0) continue;
              const i = <f32>dx;
              const j = <f32>dy;
              const difference = value - middle;
              const off = difference - gx * i - gy * j;
              const doubt: f32 = 1 + off * off * strictness;
              const weight: f32 = 1 / (doubt * doubt);
              xx += weight * i * i;
              xy += weight * i * j;
              yy += weight * j * j;
              xz += weight * i * difference;
              yz += weight * j * difference;
            }
          }
          // Where neighbours are few the plane stays near to facing the photo.
          xx += 0.5;
          yy += 0.5;
          const determinant = xx * yy - xy * xy;
          gx = (xz * yy - yz * xy) / determinant;
          gy = (yz * xx - xz * xy) / determinant;
        }
      }
      store<f32>(across + at, gx);
      store<f32>(down + at, gy);
    }
  }
}
