/** Pictures of a cloud from a place where no photo was taken: a z-buffer of square splats. */
import sharp from "sharp";

const BACKGROUND = 20;
const SPLAT_PX = 2;

/**
 * @param cameraFromWorld `[12]` of the photo to start from
 * @param pinhole fx, fy, cx, cy at `widthPx`
 * @param pivot distance at which the scene stays in the middle as the camera goes round it
 * @param turnRad how far round
 */
export async function writePicture(file, points, { cameraFromWorld: p, pinhole, widthPx, heightPx, pivot, turnRad }) {
  const [fx, fy, cx, cy] = pinhole;
  const nearest = new Float32Array(widthPx * heightPx).fill(Number.POSITIVE_INFINITY);
  const picture = Buffer.alloc(widthPx * heightPx * 3, BACKGROUND);
  const [cos, sin] = [Math.cos(turnRad), Math.sin(turnRad)];
  const { positions, colors } = points;
  for (let i = 0; i < positions.length; i += 3) {
    const [X, Y, Z] = [positions[i], positions[i + 1], positions[i + 2]];
    const x = p[0] * X + p[1] * Y + p[2] * Z + p[3];
    const y = p[4] * X + p[5] * Y + p[6] * Z + p[7];
    const z = p[8] * X + p[9] * Y + p[10] * Z + p[11] - pivot;
    const depth = -sin * x + cos * z + pivot * 1.1;
    if (!(depth > 0)) continue;
    const left = Math.floor((fx * (cos * x + sin * z)) / depth + cx);
    const top = Math.floor((fy * y) / depth + cy);
    for (let dy = 0; dy < SPLAT_PX; dy++) {
      for (let dx = 0; dx < SPLAT_PX; dx++) {
        const [u, v] = [left + dx, top + dy];
        if (u < 0 || v < 0 || u >= widthPx || v >= heightPx) continue;
        const at = v * widthPx + u;
        if (depth >= nearest[at]) continue;
        nearest[at] = depth;
        for (let c = 0; c < 3; c++) picture[3 * at + c] = colors[i + c];
      }
    }
  }
  await sharp(picture, { raw: { width: widthPx, height: heightPx, channels: 3 } })
    .png()
    .toFile(file);
}
