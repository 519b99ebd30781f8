/**
 * Inflating in WebAssembly. The caller owns the memory and puts everything where `layout.ts` says; whatever the bytes
 * are, nothing is read or written but what it gave.
 */
export { inflate } from "./segment/inflate";
