/** Triangles that share their corners. */
export type Mesh = {
  /** `[vertices, 3]` */
  readonly positions: Float32Array;
  /** `[vertices, 3]` sRGB */
  readonly colors: Uint8Array;
  /** `[triangles, 3]` counter-clockwise seen from outside. */
  readonly triangles: Uint32Array;
};

/** The triangles for which `keep` is 1, and the vertices they use, in the same order. */
export function compact({ positions, colors, triangles }: Mesh, keep?: Uint8Array): Mesh {
  const place = new Int32Array(positions.length / 3).fill(-1);
  let corners = 0;
  for (let t = 0; t < triangles.length; t += 3) {
    if (keep && !keep[t / 3]) continue;
    for (let i = t; i < t + 3; i++) place[triangles[i]] = 0;
    corners += 3;
  }
  let count = 0;
  for (let v = 0; v < place.length; v++) if (place[v] === 0) place[v] = count++;
  const out = {
    positions: new Float32Array(3 * count),
    colors: new Uint8Array(3 * count),
    triangles: new Uint32Array(corners),
  };
  for (let v = 0; v < place.length; v++) {
    if (place[v] < 0) continue;
    for (let axis = 0; axis < 3; axis++) {
      out.positions[3 * place[v] + axis] = positions[3 * v + axis];
      out.colors[3 * place[v] + axis] = colors[3 * v + axis];
    }
  }
  let at = 0;
  for (let t = 0; t < triangles.length; t += 3) {
    if (keep && !keep[t / 3]) continue;
    for (let i = t; i < t + 3; i++) out.triangles[at++] = place[triangles[i]];
  }
  return out;
}
