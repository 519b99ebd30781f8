export { type RunningServer, type ServerOptions, startServer } from "./compose.ts";
export { FACES, type FaceName } from "./faces/face.ts";
