/** The points of a segment from its inflated planes, in WebAssembly. Its memory is that of `inflate.as.ts`. */
export { readPoints } from "./segment/points";
