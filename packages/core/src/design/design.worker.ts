/** The thread in which designs are measured and drawn: whatever is in a file, it costs no more than this thread. */
import { measureMesh, renderMesh } from "@cairn/formats/design";
import { serve } from "@cairn/worker";
import type { DesignJobs } from "./design-jobs.ts";
import { encodePng } from "./png.ts";

serve<DesignJobs>({
  measure: ({ bytes, format }) => measureMesh(bytes, format),
  picture: ({ bytes, format, sidePx }) => encodePng(renderMesh(bytes, format, sidePx).rgba, sidePx),
});
