/** Opens a socket with a token, where no header can be set (GEN-34), and lets go of one. */
import { CLOSE } from "@cairn/protocol";

/** What is used of a WebSocket; a browser's own and that of `ws` both have it. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  /** What was to be sent and has not left, bytes. */
  readonly bufferedAmount?: number;
  /** Of `ws`; a browser keeps the server's pings to itself. */
  on?(event: "ping", listener: () => void): unknown;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

type Sockets<S> = new (url: string, protocols?: string[]) => S;

/** What a subprotocol may be made of; a browser throws at anything else, and tokens in base64 have more. */
const PROTOCOL = /^[\w!#$%&'*+.^`|~-]+$/;

/** As a subprotocol, which no log shows; in the address only where it cannot be one. */
export function openSocket<S>(Socket: Sockets<S>, url: string, token: string | undefined): S {
  if (token === undefined) return new Socket(url);
  if (PROTOCOL.test(token)) return new Socket(url, ["cairn.bearer", token]);
  return new Socket(`${url}${url.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`);
}

/** Closes a socket of which nothing more is wanted to be heard. */
export function letGo(socket: SocketLike): void {
  socket.onopen = null;
  socket.onmessage = null;
  socket.onclose = null;
  try {
    socket.close(CLOSE.normal);
  } catch {
    // Closing a socket that is still connecting throws in some implementations; it is let go all the same.
  }
}
