/** Points as text: `x,y,z,r,g,b,photo,confidence`, one line a point, for spreadsheets and scripts. */
import type { PointRun } from "./point-run.ts";

export const CSV_HEADER = "x,y,z,r,g,b,photo,confidence\n";

/** @param decimals digits after the point of each coordinate */
export function csvRun(run: PointRun, decimals: number): Uint8Array {
  const { count, positions, colors, photos, confidences } = run;
  const lines = new Array<string>(count + 1);
  for (let i = 0; i < count; i++) {
    const at = 3 * i;
    const photo = typeof photos === "number" ? photos : photos[i]!;
    lines[i] = `${positions[at]!.toFixed(decimals)},${positions[at + 1]!.toFixed(decimals)},${positions[
      at + 2
    ]!.toFixed(
      decimals,
    )},${colors[at]!},${colors[at + 1]!},${colors[at + 2]!},${photo},${confidences ? confidences[i]! : 255}`;
  }
  lines[count] = "";
  return new TextEncoder().encode(lines.join("\n"));
}
