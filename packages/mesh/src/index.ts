export { type Measures, measure, vertexNormals } from "./measure.ts";
export type { Mesh } from "./mesh.ts";
export type { Cube } from "./morton.ts";
export type { Cameras } from "./orient.ts";
export { normalsOf } from "./point-normals.ts";
export { MAX_SAMPLES, type PointBatch, SampleCollector, type Samples } from "./samples.ts";
export { type Surface, type SurfaceOptions, type SurfaceStage, surfaceOf } from "./surface.ts";
