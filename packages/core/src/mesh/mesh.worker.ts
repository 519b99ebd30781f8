/** The thread in which one mesh is made. It does one thing after the other and is stopped by being ended. */
import { meshGlb, meshObj, meshPly, meshStl, type TriangleMesh } from "@cairn/formats/mesh";
import { measure, SampleCollector, type SurfaceStage, surfaceOf, vertexNormals } from "@cairn/mesh";
import type { Vec3 } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import { serve } from "@cairn/worker";
import type { MeshFile, MeshJobs } from "./mesh-jobs.ts";

const WRITERS = { glb: meshGlb, obj: meshObj, stl: meshStl, ply: meshPly } as const satisfies Record<
  MeshFile,
  (mesh: TriangleMesh) => Generator<Uint8Array>
>;

/** Of 100, what is done when a stage begins, and what it takes. */
const SHARES: Record<SurfaceStage, readonly [number, number]> = {
  orienting: [0, 20],
  measuring: [20, 25],
  meshing: [45, 15],
  simplifying: [60, 40],
};

let collector: SampleCollector | undefined;
let cameras = new Map<number, Vec3>();
let mesh: TriangleMesh | undefined;
let pieces: Generator<Uint8Array> | undefined;

serve<MeshJobs>({
  begin({ min, max, cameras: all }) {
    collector = new SampleCollector(min, max);
    const [x, y, z] = collector.middle;
    cameras = new Map(all.map(([photo, at]) => [photo, [at[0] - x, at[1] - y, at[2] - z]]));
  },

  add({ run }) {
    collector?.add(run);
  },

  build({ detail, voxel, faces }, report) {
    if (!collector) throw new CairnError("mesh.no_surface");
    const { cube } = collector;
    const [x, y, z] = collector.middle;
    let told = 0;
    const found = surfaceOf(collector.take(), cube, cameras, {
      detail,
      voxel,
      targetTriangles: faces,
      // What photos saw is upright as they are; a file of points has z up.
      up: cameras.size > 0 ? [0, -1, 0] : [0, 0, 1],
      onProgress(stage, done, total) {
        const [before, share] = SHARES[stage];
        const now = Math.floor(before + (share * done) / Math.max(1, total));
        if (now <= told) return; // a second try with larger cells begins again
        told = now;
        report.progress(now, 100);
      },
    });
    if (found === "too fine") throw new CairnError("mesh.too_fine", { voxel: voxel ?? 0 });
    const about = measure(found.mesh);
    if (about.triangles === 0) throw new CairnError("mesh.no_surface");
    mesh = { ...found.mesh, origin: [x, y, z], normals: vertexNormals(found.mesh), step: found.voxel / 10 };
    report.progress(100, 100);
    return {
      vertices: about.vertices,
      faces: about.triangles,
      voxel: found.voxel,
      area: about.area,
      watertight: about.boundaryEdges === 0,
      boundaryEdges: about.boundaryEdges,
    };
  },

  write({ file }) {
    pieces = mesh && WRITERS[file](mesh);
  },

  next(_job, report) {
    const piece = pieces?.next();
    if (!piece || piece.done) return undefined;
    report.move(piece.value.buffer as ArrayBuffer); // a piece is made for its reader
    return piece.value;
  },
});
