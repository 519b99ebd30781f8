export { deflate, hashOf } from "./node-zlib.ts";
