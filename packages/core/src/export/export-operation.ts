/** An export as an operation: it runs on its own, says how far it is, can be cancelled, and ends as a blob. */
import { CairnError, type Id } from "@cairn/protocol";
import type { OperationResult } from "../operation/operations.ts";
import type { ExportOptions } from "./export-options.ts";
import { EXPORT_FORMATS, type ExportFormat, exportName } from "./formats.ts";

type Surroundings = Omit<ExportOptions, "signal" | "onProgress" | "onFacts">;

/** Exports of one space at once: each writes a file as large as the model. */
const MAX_OPEN = 4;

/** Kind of the operation that makes this format: what `operation.start` asks for. */
export function exportKind(format: ExportFormat): string {
  return `export:${format}`;
}

/**
 * The result names the blob: `format`, `digest`, `sizeBytes`, `name`, `mediaType`, and what the format knows of it.
 * @throws {CairnError} `request.rate_limited` when too many are at work in the space
 */
export async function startExport(
  surroundings: Surroundings,
  format: ExportFormat,
): Promise<{ operation: Id; ended: Promise<"completed" | "failed" | "cancelled"> }> {
  const { space, blobs } = surroundings;
  const open = Object.values(space.log.snapshot().state.operations).filter(
    ({ kind, endedNs }) => kind.startsWith("export:") && endedNs === undefined,
  );
  if (open.length >= MAX_OPEN) throw new CairnError("request.rate_limited", { exports: open.length });
  const { write, mediaType } = EXPORT_FORMATS[format];
  return space.operations.start(exportKind(format), async ({ signal, progress }) => {
    let facts: OperationResult = {};
    const onFacts = (told: OperationResult) => {
      facts = told;
    };
    const pieces = write({ ...surroundings, signal, onProgress: progress, onFacts });
    const { digest, sizeBytes } = await blobs.put(pieces, { signal });
    return { result: { format, digest, sizeBytes, name: exportName(space.id, format), mediaType, ...facts } };
  });
}
