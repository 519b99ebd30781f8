/** Where the face's server is, whatever path Cairn lives behind, and the token that lets this page in. Rule GEN-34. */
import { openSocket } from "@cairn/client";
import { withToken } from "../../token.ts";
import { inWords, tokenInWords } from "../../words.ts";

export class Place {
  /** The folder the page came from; ends in `/`. */
  readonly #folder: string;
  readonly #token: string | undefined;

  constructor(pageUrl: string, token?: string) {
    this.#folder = new URL(".", pageUrl).href;
    this.#token = token;
  }

  /** Of a path from the face's root; one that the server gave may begin with `/`. */
  http(path: string): string {
    return this.#folder + path.replace(/^\//, "");
  }

  /** Of what a browser fetches by itself, where no header can be set. */
  link(path: string): string {
    return withToken(this.http(path), this.#token);
  }

  /** What every request carries. */
  get headers(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  /** As the SDK's clients take it. */
  get server(): { url: string; token?: string } {
    return { url: this.#folder.slice(0, -1), ...(this.#token !== undefined && { token: this.#token }) };
  }

  socket(path: string): WebSocket {
    return openSocket(WebSocket, this.http(path).replace(/^http/, "ws"), this.#token);
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.http(path), { ...init, headers: { ...this.headers, ...init.headers } });
  }

  /** @throws {Error} in words for people */
  async json(path: string, init: RequestInit = {}): Promise<unknown> {
    let response: Response;
    try {
      response = await this.fetch(path, init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Error(inWords(new TypeError()));
    }
    if (!response.ok) throw await refusal(response);
    return response.json().catch(() => undefined);
  }

  post(path: string, body: object, init: RequestInit = {}): Promise<unknown> {
    const headers = { "content-type": "application/json", ...init.headers };
    return this.json(path, { method: "POST", ...init, headers, body: JSON.stringify(body) });
  }

  /** Nothing is to be had without a token, or with this one: then its health is only a word (GEN-36). */
  async asksToken(signal: AbortSignal): Promise<boolean> {
    const health: unknown = await (await this.fetch("health", { signal })).json();
    return isRecord(health) && health.version === undefined;
  }
}

/** In words for people. */
export async function refusal(response: Response): Promise<Error> {
  const body: unknown = await response.json().catch(() => undefined);
  return new Error(refusalInWords(body, response.status));
}

/** `detail` is a sentence, or a list of what is wrong with which field. */
export function refusalInWords(body: unknown, status: number): string {
  const detail = isRecord(body) ? body.detail : undefined;
  if (typeof detail === "string") return sentence(detail);
  if (Array.isArray(detail)) {
    const said = detail.filter(isRecord).map(({ loc, msg }) => `${Array.isArray(loc) ? loc.at(-1) : "?"}: ${msg}`);
    if (said.length > 0) return `${said.join("; ")}.`;
  }
  return `The server refused this (status ${status}).`;
}

/** What faces say of tokens (GEN-34). */
const OF_TOKENS = { "Not authenticated": "auth.required", "Not allowed": "auth.forbidden" } as const;

/** The server's words, which come without a stop. */
export function sentence(words: string): string {
  if (words === "Not authenticated" || words === "Not allowed") return tokenInWords(OF_TOKENS[words]);
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
