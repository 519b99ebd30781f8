/** For tests: a page of a session, and the calls that known clients make. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";

export type Envelope = {
  type: string;
  timestamp: string;
  seq: number;
  data: Record<string, unknown> & { message?: string };
};

export type Json = Record<string, unknown>;

/** Where a server is: one in this process, or one in another. */
export type At = { readonly url: string };

export class Page {
  readonly ws: WebSocket;
  readonly heard: Envelope[] = [];
  readonly texts: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #look = () => {};

  constructor({ url }: At, session: string, query = "", path = "/api/v1/ws/") {
    this.ws = new WebSocket(`${url.replace("http", "ws")}${path}${encodeURIComponent(session)}${query}`);
    this.ws.on("message", (data: Buffer) => {
      const text = data.toString();
      this.texts.push(text);
      if (text.startsWith("{")) this.heard.push(JSON.parse(text) as Envelope);
      this.#look();
    });
    this.ws.on("error", () => {});
    this.closed = once(this.ws, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  }

  /** The first so many messages of a type. */
  async of(type: string, count = 1): Promise<Envelope[]> {
    return this.until(() => {
      const found = this.heard.filter((message) => message.type === type);
      return found.length >= count ? found.slice(0, count) : undefined;
    });
  }

  /** Looks again at every message. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }

  async tell(...messages: (string | Buffer)[]): Promise<void> {
    if (this.ws.readyState === WebSocket.CONNECTING) await once(this.ws, "open");
    for (const each of messages) this.ws.send(each);
  }

  /** Types of the events of the session, without what is only of the connection. */
  get events(): Envelope[] {
    return this.heard.filter(({ type }) => type !== "connection.status" && type !== "error");
  }
}

export async function call(
  { url }: At,
  method: string,
  path: string,
  body?: Json | FormData,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Json; headers: Headers }> {
  const json = body && !(body instanceof FormData);
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { ...(json && { "content-type": "application/json" }), ...headers },
    ...(body && { body: json ? JSON.stringify(body) : body }),
  });
  return { status: response.status, body: (await response.json()) as Json, headers: response.headers };
}

export async function newSession(server: At, fields: Json = {}): Promise<string> {
  const { status, body } = await call(server, "POST", "/sessions", fields);
  assert.equal(status, 200, JSON.stringify(body));
  return String(body.id);
}

export function formOf(fields: Record<string, string>, file?: { bytes: Uint8Array; name: string }): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  if (file) form.set("file", new Blob([Uint8Array.from(file.bytes)]), file.name);
  return form;
}

/** One image in. @returns its ImageResponse */
export async function upload(
  server: At,
  session: string,
  bytes: Uint8Array,
  fields: Record<string, string> = {},
  name = "photo.png",
): Promise<Json> {
  const { status, body } = await call(
    server,
    "POST",
    "/images",
    formOf({ session_id: session, ...fields }, { bytes, name }),
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}
