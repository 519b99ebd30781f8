/** Where the face's server is: the folder the page came from, whatever path Cairn lives behind. */
import { inWords } from "../../words.ts";

export class Place {
  /** Ends in `/`. */
  readonly #folder: string;

  constructor(pageUrl: string) {
    this.#folder = new URL(".", pageUrl).href;
  }

  /** Of a path from the face's root; one that the server gave may begin with `/`. */
  http(path: string): string {
    return this.#folder + path.replace(/^\//, "");
  }

  ws(path: string): string {
    return this.http(path).replace(/^http/, "ws");
  }

  /** Without the last `/`. */
  get root(): string {
    return this.#folder.slice(0, -1);
  }

  /** @throws {Error} in words for people */
  async json(path: string, init: RequestInit = {}): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(this.http(path), init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Error(inWords(new TypeError()));
    }
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw new Error(refusalInWords(body, response.status));
    return body;
  }

  post(path: string, body: object, init: RequestInit = {}): Promise<unknown> {
    const headers = { "content-type": "application/json", ...init.headers };
    return this.json(path, { method: "POST", ...init, headers, body: JSON.stringify(body) });
  }
}

/** `detail` is a sentence, or a list of what is wrong with which field. */
export function refusalInWords(body: unknown, status: number): string {
  const detail = isRecord(body) ? body.detail : undefined;
  if (typeof detail === "string") return detail.endsWith(".") ? detail : `${detail}.`;
  if (Array.isArray(detail)) {
    const said = detail.filter(isRecord).map(({ loc, msg }) => `${Array.isArray(loc) ? loc.at(-1) : "?"}: ${msg}`);
    if (said.length > 0) return `${said.join("; ")}.`;
  }
  return `The server refused this (status ${status}).`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
