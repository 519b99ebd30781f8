/** The faces that a server has. */
import type { ServerContext } from "../context.ts";
import { openDepth } from "./depth/depth.ts";
import type { SessionLimits } from "./depth/sessions.ts";
import type { Face } from "./face.ts";
import { openHeritage } from "./heritage/heritage.ts";
import { openHub } from "./hub/hub.ts";
import type { ImagetoolsLimits } from "./imagetools/house.ts";
import { openImagetools } from "./imagetools/imagetools.ts";
import { openMeshes } from "./meshes/meshes.ts";

export type FaceOptions = {
  readonly depthSessions?: Partial<SessionLimits>;
  readonly imagetools?: Partial<ImagetoolsLimits>;
  readonly hubSpace?: string;
};

export async function openAllFaces(
  context: ServerContext,
  { depthSessions, imagetools, hubSpace }: FaceOptions = {},
): Promise<Face[]> {
  return [
    openHeritage(context),
    openDepth(context, depthSessions),
    openImagetools(context, imagetools),
    await openMeshes(context),
    openHub(context, hubSpace),
  ];
}
