/** The shown points as one GLB, in the model's frame. Rules: docs/spec/tiles.md. */
import { encodeSceneGlb } from "@cairn/formats/glb";
import type { ExportOptions } from "./export-options.ts";
import { told } from "./point-files.ts";
import { openShownPoints } from "./shown-points.ts";

export async function* exportGlb(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const points = await openShownPoints(options);
  yield* encodeSceneGlb((stage) => told(points, options, stage));
}
