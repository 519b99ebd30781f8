/** One design in 3D: its bytes and what was measured, fetched together; a newer choice cancels the one before. */
import type { Model, ModelFormat } from "@cairn/viewer/model";
import { inWords } from "../../words.ts";
import type { Place } from "../shared/place.ts";
import type { Design } from "./design-feed.ts";

export type Metadata = {
  readonly vertex_count?: number | null;
  readonly face_count?: number | null;
  readonly volume?: number | null;
  readonly surface_area?: number | null;
  readonly bounds?: readonly [readonly number[], readonly number[]] | null;
  readonly is_watertight?: boolean | null;
  readonly revisions?: number | readonly unknown[];
  readonly file_size?: number;
  readonly created_at?: number;
};

export type LoadedDesign = {
  model: Model | undefined;
  metadata: Metadata | undefined;
  format: ModelFormat;
  problems: string[];
};

const FORMATS: Readonly<Record<string, ModelFormat>> = {
  "application/sla": "stl",
  "model/obj": "obj",
  "model/gltf-binary": "glb",
  "application/x-ply": "ply",
};

export function formatOf({ design_id, collection }: Design): ModelFormat {
  const ending = /\.(obj|glb|ply)$/i.exec(design_id)?.[1]?.toLowerCase();
  return collection === "current" || ending === undefined ? "stl" : (ending as ModelFormat);
}

/** @param revision an older content; left out: the newest */
export async function loadDesign(
  place: Place,
  design: Design,
  revision: number | undefined,
  signal: AbortSignal,
): Promise<LoadedDesign> {
  const problems: string[] = [];
  const say = (error: unknown) => {
    signal.throwIfAborted();
    problems.push(inWords(error));
    return undefined;
  };
  const [metadata, model] = await Promise.all([
    place.json(at(design.metadata_url, revision), { signal }).then((body) => body as Metadata, say),
    read(place, at(design.url, revision), formatOf(design), signal).catch(say),
  ]);
  signal.throwIfAborted();
  return { metadata, model, format: formatOf(design), problems };
}

export function at(url: string, revision: number | undefined): string {
  return revision === undefined ? url : `${url}${url.includes("?") ? "&" : "?"}revision=${revision}`;
}

async function read(place: Place, url: string, guess: ModelFormat, signal: AbortSignal): Promise<Model> {
  const [response, { parseModel }] = await Promise.all([place.fetch(url, { signal }), import("@cairn/viewer/model")]);
  if (!response.ok) throw new Error("The file of this design is not on the server any more.");
  const bytes = await response.arrayBuffer();
  const format = FORMATS[response.headers.get("content-type")?.split(";")[0] ?? ""] ?? guess;
  try {
    const model = await parseModel(bytes, format);
    if (model.points + model.triangles === 0) throw new Error("there is nothing in it");
    return model;
  } catch {
    signal.throwIfAborted();
    throw new Error(`This file cannot be shown: it is no ${format.toUpperCase()} with anything in it.`);
  }
}
