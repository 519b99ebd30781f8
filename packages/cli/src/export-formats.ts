/** As the server's list of exports has them. */
export const FORMATS = ["ply", "las", "las14", "glb", "3dtiles", "colmap", "colmap-bin", "nerfstudio", "csv"] as const;
