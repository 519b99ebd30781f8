/** Every export by name. */
import { CairnError, type SpaceId } from "@cairn/protocol";
import { exportMesh } from "../mesh/export-mesh.ts";
import { exportColmap, exportColmapBinary } from "./colmap.ts";
import type { ExportOptions } from "./export-options.ts";
import { exportGlb } from "./glb.ts";
import { exportNerfstudio } from "./nerfstudio.ts";
import { exportCsv, exportLas, exportPly } from "./point-files.ts";
import { exportTilesZip } from "./tiles-zip.ts";

type Format = {
  /** Ends the file's name. */
  readonly suffix: string;
  readonly mediaType: string;
  readonly description: string;
  readonly write: (options: ExportOptions) => AsyncGenerator<Uint8Array>;
};

const BYTES = "application/octet-stream";
const ZIP = "application/zip";

export const EXPORT_FORMATS = {
  ply: {
    suffix: ".ply",
    mediaType: BYTES,
    description: "Binary little-endian PLY: `x y z`, normals where known, `uchar red green blue`.",
    write: exportPly,
  },
  las: {
    suffix: ".las",
    mediaType: "application/vnd.las",
    description: "LAS 1.2, point format 2.",
    write: (options) => exportLas(options, "1.2"),
  },
  las14: {
    suffix: ".las",
    mediaType: "application/vnd.las",
    description: "LAS 1.4, point format 7.",
    write: (options) => exportLas(options, "1.4"),
  },
  glb: {
    suffix: ".glb",
    mediaType: "model/gltf-binary",
    description: "GLB (glTF 2.0): points with linear colours, up to 4 GiB.",
    write: exportGlb,
  },
  "3dtiles": {
    suffix: "-3dtiles.zip",
    mediaType: ZIP,
    description: "OGC 3D Tiles 1.1: `tileset.json` and its tiles as one zip.",
    write: exportTilesZip,
  },
  "mesh-glb": {
    suffix: "-mesh.glb",
    mediaType: "model/gltf-binary",
    description: "The surface as GLB (glTF 2.0): triangles with normals and linear vertex colours.",
    write: (options) => exportMesh(options, "glb"),
  },
  "mesh-obj": {
    suffix: "-mesh.obj",
    mediaType: "model/obj",
    description: "The surface as Wavefront OBJ: normals, colours behind the coordinates (`v x y z r g b`).",
    write: (options) => exportMesh(options, "obj"),
  },
  "mesh-stl": {
    suffix: "-mesh.stl",
    mediaType: "model/stl",
    description: "The surface as binary STL, without colours.",
    write: (options) => exportMesh(options, "stl"),
  },
  "mesh-ply": {
    suffix: "-mesh.ply",
    mediaType: BYTES,
    description: "The surface as binary PLY: normals and colours at its vertices.",
    write: (options) => exportMesh(options, "ply"),
  },
  csv: {
    suffix: ".csv",
    mediaType: "text/csv",
    description: "`x,y,z,r,g,b,photo,confidence`, one line a point.",
    write: exportCsv,
  },
  colmap: {
    suffix: "-colmap.zip",
    mediaType: ZIP,
    description: "COLMAP's text model: `cameras.txt`, `images.txt` and `points3D.txt` as one zip.",
    write: exportColmap,
  },
  "colmap-bin": {
    suffix: "-colmap-bin.zip",
    mediaType: ZIP,
    description: "COLMAP's binary model: `cameras.bin`, `images.bin` and `points3D.bin` as one zip.",
    write: exportColmapBinary,
  },
  nerfstudio: {
    suffix: "-nerfstudio.zip",
    mediaType: ZIP,
    description: "nerfstudio's `transforms.json`, the photos without distortion and the points as PLY, as one zip.",
    write: exportNerfstudio,
  },
} as const satisfies Record<string, Format>;

export type ExportFormat = keyof typeof EXPORT_FORMATS;

/** @throws {CairnError} `export.unknown_format` */
export function exportFormat(name: string): ExportFormat {
  if (!Object.hasOwn(EXPORT_FORMATS, name)) {
    throw new CairnError("export.unknown_format", { format: name.slice(0, 64) });
  }
  return name as ExportFormat;
}

/** What the file is called: the space's id, as far as any disk takes it. */
export function exportName(space: SpaceId, format: ExportFormat): string {
  const plain = space
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  return (plain.slice(0, 80) || "model") + EXPORT_FORMATS[format].suffix;
}
