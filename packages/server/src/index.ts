// What options of the server are made of: whoever starts one needs no more packages for it.
export { TIME_SERVERS } from "@cairn/core";
export { type RunningServer, startServer } from "./compose.ts";
export { ROLES, type Role, type TokenGrant } from "./http/access.ts";
export type { TlsOptions } from "./http/app.ts";
export { lanAddresses, reachableAt, urlOf } from "./http/reach.ts";
export { type AxisMap, FACES, type FaceName, readAxes } from "./options.ts";
export type { ServerOptions } from "./server-options.ts";
