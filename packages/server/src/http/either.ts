/**
 * One port for https and http: whoever opens the address of the server either way is answered, and the page that came by
 * http can say where the other is. Which it is shows in the first byte of a connection, which for TLS is never a letter.
 */
import {
  createServer as createHttp,
  type Server as HttpServer,
  type RequestListener,
  type ServerOptions,
} from "node:http";
import { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";

export type TlsFiles = { readonly cert: string | Buffer; readonly key: string | Buffer };

/** A record of a TLS handshake begins with this; a request with a letter of its method. */
const HANDSHAKE = 22;

/** An https server that hands connections which speak http to one of those; requests of both come to one handler. */
export class EitherServer extends HttpsServer {
  readonly #plain: HttpServer;
  /** Connections that have said nothing yet: no server knows them, so they are closed here. */
  readonly #silent = new Set<Socket>();

  constructor(http: ServerOptions, tls: TlsFiles, handler: RequestListener) {
    super({ ...http, ...tls, handshakeTimeout: http.headersTimeout }, handler);
    const plain = createHttp(http);
    this.#plain = plain;
    plain.on("request", (...request) => this.emit("request", ...request));
    plain.on("upgrade", (...upgrade) => this.emit("upgrade", ...upgrade));
    plain.on("clientError", (error, socket) => this.emit("clientError", error, socket));
    // It looks for requests that trickle in from when it listens, which it never does itself.
    this.on("listening", () => plain.emit("listening"));
    const secure = this.listeners("connection") as ((this: HttpsServer, socket: Socket) => void)[];
    this.removeAllListeners("connection");
    this.on("connection", (socket: Socket) => {
      this.#silent.add(socket);
      const gone = () => void this.#silent.delete(socket);
      const late = () => void socket.destroy();
      const failed = () => socket.destroy();
      socket.setTimeout(http.headersTimeout ?? 0, late);
      socket.once("close", gone).on("error", failed);
      const first = () => {
        const bytes: Buffer | null = socket.read(1);
        if (bytes === null) return; // ended, or not there yet
        gone();
        socket.removeListener("readable", first).removeListener("close", gone).removeListener("error", failed);
        socket.setTimeout(0).removeListener("timeout", late);
        socket.unshift(bytes);
        if (bytes[0] === HANDSHAKE) for (const listener of secure) listener.call(this, socket);
        else plain.emit("connection", socket);
      };
      socket.on("readable", first);
    });
  }

  override closeIdleConnections(): void {
    super.closeIdleConnections();
    this.#plain.closeIdleConnections();
    for (const socket of this.#silent) socket.destroy();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#plain.closeAllConnections();
    for (const socket of this.#silent) socket.destroy();
  }

  override close(done?: (error?: Error) => void): this {
    super.close(done);
    this.#plain.close(); // only its clock: it never listened
    return this;
  }
}
