/** For tests: a client of a face whose messages have a type. */
import { once } from "node:events";
import { WebSocket } from "ws";
import type { TestServer } from "./test-server.ts";

export type Message = Record<string, unknown> & { type: string };

/** Where a server is: one in this process, or one in another. */
export type At = Pick<TestServer, "url">;

export class FaceUser {
  readonly ws: WebSocket;
  readonly heard: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #look = () => {};

  constructor({ url }: At, path: string) {
    this.ws = new WebSocket(url.replace("http", "ws") + path, { maxPayload: 2 ** 28 });
    this.ws.on("message", (data: Buffer) => {
      this.heard.push(JSON.parse(data.toString()) as Message);
      this.#look();
    });
    this.ws.on("error", () => {});
    this.closed = once(this.ws, "close").then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  }

  /** Resolves as soon as `look` finds something in what was heard; looks again at every message. */
  async until<T>(look: (heard: readonly Message[]) => T | undefined): Promise<T> {
    for (;;) {
      const found = look(this.heard);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }

  /** The first so many messages of a type. */
  of(type: string, count = 1): Promise<Message[]> {
    return this.until((heard) => {
      const found = heard.filter((message) => message.type === type);
      return found.length >= count ? found.slice(0, count) : undefined;
    });
  }

  async tell(message: object | string | Buffer): Promise<void> {
    if (this.ws.readyState === WebSocket.CONNECTING) await once(this.ws, "open");
    this.ws.send(typeof message === "string" || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }
}
