export { decodeSegmentSync, deflate, hashOf } from "./node-zlib.ts";
