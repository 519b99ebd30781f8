/** What the meshes face says, as its clients know it. */
import type { DesignState } from "@cairn/protocol";
import type { DesignEvent, Library } from "./library.ts";

/** Epoch seconds of nanoseconds. */
function seconds(ns: string): number {
  return Number(BigInt(ns) / 1000n) / 1e6;
}

/** Where a design is fetched: by its name alone where that finds it. */
function urlOf(library: Library, { design, collection }: Pick<DesignState, "design" | "collection">): string {
  const url = `/api/mesh/${encodeURIComponent(design)}`;
  const found = library.resolve(design)?.collection ?? "current";
  return found === collection ? url : `${url}?collection=${encodeURIComponent(collection)}`;
}

function metadataUrl(url: string): string {
  return url.replace(/(\?|$)/, "/metadata$1");
}

/** Of this revision, so that a page that has seen it sees it again at once; none where nothing can be drawn. */
function thumbnailUrl(url: string, { mesh, revision }: DesignState): string | null {
  if (!mesh || mesh.faces === 0) return null;
  return `${url.replace(/(\?|$)/, "/thumbnail$1")}${url.includes("?") ? "&" : "?"}revision=${revision}`;
}

/** A row of a list (MSH-24). */
export function rowOf(library: Library, state: DesignState) {
  const url = urlOf(library, state);
  return {
    design_id: state.design,
    file_size: state.sizeBytes,
    created_at: seconds(state.fileNs),
    url,
    metadata_url: metadataUrl(url),
    thumbnail_url: thumbnailUrl(url, state),
    seq: state.seq,
    revision: state.revision,
    change: state.change,
    collection: state.collection,
    sha256: state.blob,
    vertex_count: state.mesh?.vertices ?? null,
    face_count: state.mesh?.faces ?? null,
  };
}

/** `new_mesh` or `mesh_removed` (MSH-13, MSH-14). */
export function messageOf(library: Library, event: DesignEvent): object {
  if (event.type === "design.published") {
    return { event: "new_mesh", ...rowOf(library, { ...event.data, seq: event.seq }) };
  }
  const { design, collection } = event.data;
  const removed_at = seconds(event.timeNs);
  return { event: "mesh_removed", design_id: design, seq: event.seq, removed_at, collection };
}

/** What a mesh is like (MSH-30). */
export function metadataOf(library: Library, state: DesignState) {
  const { mesh } = state;
  return {
    design_id: state.design,
    vertex_count: mesh?.vertices ?? null,
    face_count: mesh?.faces ?? null,
    volume: mesh?.volume ?? null,
    surface_area: mesh?.area ?? null,
    bounds: mesh && mesh.faces > 0 ? [mesh.min, mesh.max] : null,
    is_watertight: mesh?.watertight ?? null,
    file_size: state.sizeBytes,
    created_at: seconds(state.fileNs),
    revision: state.revision,
    revisions: library.revisionsOf(state),
    sha256: state.blob,
    url: urlOf(library, state),
    collection: state.collection,
  };
}

/** `just now` under ten seconds, then whole units (MSH-33). */
export function timeAgo(ageSeconds: number): string {
  if (ageSeconds < 10) return "just now";
  for (const [unit, length] of UNITS) {
    const count = Math.floor(ageSeconds / length);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;
