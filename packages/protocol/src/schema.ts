/**
 * TypeBox, for all packages. The build bundles it into this one module (tools/build.mjs): its hundreds of files took half
 * of the time in which a worker, a command or the decoder of photos starts.
 */
export { type Static, type TObject, type TSchema, Type } from "typebox";
export { Compile, type Validator } from "typebox/compile";
export { Value } from "typebox/value";
