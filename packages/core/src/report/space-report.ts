/** The report of a space: what the engine knows of its model, and what the log knows of photos that it never got. */
import {
  CairnError,
  type EngineReport,
  type EventDraft,
  type Report,
  type ReportPhoto,
  type Seq,
  type SpaceState,
} from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";

/** The engine's photos keep their places, for edges name them by these; the others follow. */
export function spaceReport(engine: EngineReport, state: SpaceState, generation: number): Report {
  const given = new Set(engine.photos.map(({ image }) => image));
  const others = Object.values(state.images)
    .filter(({ image }) => !given.has(image))
    .map(({ image, name, verdict }): ReportPhoto => ({ ...(verdict ?? { image, verdict: "unjudged" }), name }));
  const photos = [...engine.photos, ...others];
  return { generation, used: photos.filter(({ verdict }) => verdict === "registered").length, ...engine, photos };
}

/** The report as a blob and the event that names it. */
export async function reportEvent(report: Report, blobs: BlobStore, cause: Seq): Promise<EventDraft> {
  const bytes = Buffer.from(JSON.stringify(report, rounded));
  const { digest } = await blobs.put(bytes);
  const data = { generation: report.generation, blob: digest, sizeBytes: bytes.length };
  return { type: "report.made", cause, data };
}

/** The newest report of a space as JSON. @throws {CairnError} `report.missing` before the first rebuild */
export async function readReport(space: Space, blobs: BlobStore): Promise<Uint8Array> {
  const { report } = space.log.snapshot().state;
  if (!report) throw new CairnError("report.missing");
  return blobs.get(report.blob);
}

/** Six digits are more than any figure here is sure of, and a third of the bytes. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
