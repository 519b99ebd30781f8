import type { MeshMeasure } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { type Facets, type MeshFormat, refuseMesh } from "./design/facets.ts";
import { measureFacets } from "./design/measure-facets.ts";
import { readMeshGlb } from "./design/read-mesh-glb.ts";
import { readMeshPly } from "./design/read-mesh-ply.ts";
import { readObj } from "./design/read-obj.ts";
import { readStl } from "./design/read-stl.ts";
import { type Picture, renderFacets } from "./design/render-facets.ts";

export type { Facets, MeshFormat } from "./design/facets.ts";
export { isBinaryStl, isWholeTextStl } from "./design/read-stl.ts";

const READERS: Record<MeshFormat, (bytes: Uint8Array) => Facets> = {
  stl: readStl,
  obj: readObj,
  glb: readMeshGlb,
  ply: readMeshPly,
};

/** The triangles of a file. @throws {CairnError} `design.unreadable` */
export function readFacets(bytes: Uint8Array, format: MeshFormat): Facets {
  try {
    return READERS[format](bytes);
  } catch (error) {
    if (error instanceof CairnError && error.code === "design.unreadable") throw error;
    throw refuseMesh(format, "not readable", error);
  }
}

/** @throws {CairnError} `design.unreadable` */
export function measureMesh(bytes: Uint8Array, format: MeshFormat): MeshMeasure {
  return measureFacets(readFacets(bytes, format), format);
}

/** Seen from three quarters, with what each format takes for up. @throws {CairnError} `design.unreadable` */
export function renderMesh(bytes: Uint8Array, format: MeshFormat, side: number): Picture {
  return renderFacets(readFacets(bytes, format), side, format === "glb" || format === "obj" ? 1 : 2);
}
