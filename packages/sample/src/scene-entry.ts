export { distanceTo } from "./distance.ts";
export { buildScene, type Scene } from "./scene.ts";
