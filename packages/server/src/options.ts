/** What options of the server are made of: whoever reads some loads neither the server nor more packages for it. */
export { type AxisMap, readAxes } from "@cairn/motion";
export { FACES, type FaceName } from "./faces/face.ts";
