/** For Node: the same, with the WebSocket that Node 20 lacks. */
import { WebSocket } from "ws";
import { CairnApi } from "./api.ts";
import type { ApiOptions } from "./calls.ts";
import { type ConnectOptions, SpaceConnection } from "./connection.ts";
import type { DepthOptions } from "./depth.ts";

/** A partial model comes as one message, and may be large. */
class LargeSocket extends WebSocket {
  constructor(url: string, protocols?: string[]) {
    super(url, protocols, { maxPayload: 2 ** 30 });
  }
}

/** Connects, and goes on connecting until `close()`. */
export function connect(options: ConnectOptions): SpaceConnection {
  return new SpaceConnection({ WebSocket, ...options });
}

/** What a depth session needs here. */
export function depthOptions(options: DepthOptions): DepthOptions {
  return { WebSocket: LargeSocket, ...options };
}

/** The REST doors and live video. */
export function openApi(options: ApiOptions): CairnApi {
  return new CairnApi({ WebSocket, ...options });
}
