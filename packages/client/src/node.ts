/** For Node: the same, with the WebSocket that Node 20 lacks. */
import { WebSocket } from "ws";
import { type ConnectOptions, SpaceConnection } from "./connection.ts";

/** Connects, and goes on connecting until `close()`. */
export function connect(options: ConnectOptions): SpaceConnection {
  return new SpaceConnection({ WebSocket, ...options });
}
