export { type RunningServer, type ServerOptions, startServer } from "./compose.ts";
