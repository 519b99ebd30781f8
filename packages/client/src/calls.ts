/** One HTTP call to the server: who calls, what it carries, and the server's reason when it refuses. */
import type { CairnError } from "@cairn/protocol";
import { errorFromBody } from "./error-body.ts";
import type { SocketConstructor } from "./open-socket.ts";

export type ApiOptions = {
  /** Where the server is, `http://host:port`; a path in front of `/v1` is kept. */
  url: string;
  token?: string;
  fetch?: typeof globalThis.fetch;
  /** For live video, where the machine has none of its own. */
  WebSocket?: SocketConstructor;
};

export type CallOptions = { signal?: AbortSignal | undefined };

export type CallBody = {
  json?: unknown;
  body?: Blob | Uint8Array | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
};

export class Calls {
  /** What every address begins with. */
  readonly base: string;
  readonly #token: string | undefined;
  readonly #fetch: typeof globalThis.fetch;

  constructor({ url, token, fetch }: ApiOptions) {
    this.base = url.replace(/\/+$/, "");
    this.#token = token;
    // Called as a method of something else, a browser's fetch refuses.
    this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
  }

  /** The same for sockets. */
  get socketBase(): string {
    return this.base.replace(/^http/, "ws");
  }

  /** @throws {CairnError} what the server answered; {@link TypeError} when it could not be reached */
  async call(
    method: string,
    path: string,
    { json, body, headers, signal }: CallOptions & CallBody = {},
  ): Promise<Response> {
    const init: RequestInit = { method, headers: { ...this.auth(), ...headers } };
    if (signal) init.signal = signal;
    if (json !== undefined) {
      init.body = JSON.stringify(json);
      init.headers = { ...init.headers, "content-type": "application/json" };
    } else if (body) {
      init.body = body as BodyInit;
      // A stream that is sent while it is read; `fetch` wants to be told.
      if (body instanceof ReadableStream) Object.assign(init, { duplex: "half" });
    }
    const response = await this.#fetch(this.base + path, init);
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  async json<T>(method: string, path: string, options?: CallOptions & CallBody): Promise<T> {
    return (await (await this.call(method, path, options)).json()) as T;
  }

  auth(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }
}

async function errorOf(response: Response): Promise<CairnError> {
  const body: unknown = await response.json().catch(() => undefined);
  return errorFromBody(response.status, body);
}
