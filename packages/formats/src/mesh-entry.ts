export { meshGlb } from "./mesh/mesh-glb.ts";
export { meshObj } from "./mesh/mesh-obj.ts";
export { meshPly } from "./mesh/mesh-ply.ts";
export { meshStl } from "./mesh/mesh-stl.ts";
export type { TriangleMesh } from "./mesh/triangle-mesh.ts";
