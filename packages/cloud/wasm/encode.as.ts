/** Points to the planes and rest bits of a segment, in WebAssembly. Only servers write segments. */
export { deflatePlanes } from "./segment/deflate";
export { costOf, thinAxis } from "./segment/fold";
export { sortPoints, takeSample } from "./segment/sort";
export { writePoints } from "./segment/write";
