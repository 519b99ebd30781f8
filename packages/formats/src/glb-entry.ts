export { glbHead } from "./glb/container.ts";
export { encodePointGlb, type GridPoints, POINT_GLB_VERSION } from "./glb/encode-point-glb.ts";
export { FINE_LINEAR } from "./glb/linear-color.ts";
export { type GlbCloud, type GlbPoints, type GlbSource, openGlb } from "./glb/read-glb.ts";
export { encodeSceneGlb, type ScenePoints } from "./glb/scene-glb.ts";
