export type { ColorMode, Legend } from "./color-modes.ts";
export type { Picked } from "./point-scene.ts";
export type { SpaceSource } from "./source.ts";
export { createViewer, type Viewer, type ViewerOptions, type ViewerStats } from "./viewer.ts";
