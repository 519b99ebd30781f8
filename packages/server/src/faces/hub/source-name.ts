/** `?source=`, `?space=` (HUB-5) and `?keyframes=` of a socket. */
import { isSourceName } from "@cairn/core";
import { CLOSE, checkSpaceId } from "@cairn/protocol";
import type { FaceSocket } from "../face-socket.ts";

export type Places = {
  /** Left out by whoever connected. */
  readonly source: string | undefined;
  readonly space: string | undefined;
  /** `?keyframes=off`: its video builds no model. */
  readonly keyframes: boolean;
};

const NOT_ALLOWED = "Source name is not allowed";

/** What the query names; `undefined` after the socket was told that it may not, and closed. */
export function placesOf(query: URLSearchParams, socket: FaceSocket): Places | undefined {
  const source = query.get("source") ?? undefined;
  const space = query.get("space") ?? undefined;
  if (source !== undefined && !isSourceName(source)) return refuse(socket, NOT_ALLOWED);
  if (space !== undefined) {
    try {
      checkSpaceId(space);
    } catch {
      return refuse(socket, "Space id is not allowed");
    }
  }
  return { source, space, keyframes: query.get("keyframes") !== "off" };
}

function refuse(socket: FaceSocket, text: string): undefined {
  socket.error(text);
  socket.close(CLOSE.notAllowedId, text);
}
