/** The thread in which designs are measured: whatever is in a file, it costs no more than this thread. */
import { measureMesh } from "@cairn/formats/design";
import { serve } from "@cairn/worker";
import type { DesignJobs } from "./design-jobs.ts";

serve<DesignJobs>({ measure: ({ bytes, format }) => measureMesh(bytes, format) });
