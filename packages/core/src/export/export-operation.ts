/** An export as an operation: it runs on its own, says how far it is, can be cancelled, and ends as a blob. */
import type { Id } from "@cairn/protocol";
import type { ExportOptions } from "./export-options.ts";
import { EXPORT_FORMATS, type ExportFormat, exportName } from "./formats.ts";

type Surroundings = Omit<ExportOptions, "signal" | "onProgress">;

/** Kind of the operation that makes this format: what `operation.start` asks for. */
export function exportKind(format: ExportFormat): string {
  return `export:${format}`;
}

/** The result names the blob: `format`, `digest`, `sizeBytes`, `name`, `mediaType`. */
export function startExport(
  surroundings: Surroundings,
  format: ExportFormat,
): Promise<{ operation: Id; ended: Promise<"completed" | "failed" | "cancelled"> }> {
  const { space, blobs } = surroundings;
  const { write, mediaType } = EXPORT_FORMATS[format];
  return space.operations.start(exportKind(format), async ({ signal, progress }) => {
    const pieces = write({ ...surroundings, signal, onProgress: progress });
    const { digest, sizeBytes } = await blobs.put(pieces, { signal });
    return { result: { format, digest, sizeBytes, name: exportName(space.id, format), mediaType } };
  });
}
