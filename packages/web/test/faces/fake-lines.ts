/**
 * For tests of pages: in the place of a window's sockets, lines of which the test says what becomes of them. At the
 * other end is just as much of a server as a page needs that sends photos.
 */
import type { Page } from "playwright-core";

type Said = { type: string } & Record<string, unknown>;

type Line = {
  readonly readyState: number;
  readonly url: string;
  say(message: object): void;
  end(code: number, reason?: string): void;
};

type Net = {
  /** Oldest first. */
  readonly lines: Line[];
  /** What arrived. */
  readonly arrived: Said[];
  /** How many messages of a type began to be sent. */
  begun(type: string): number;
  /** No line comes to be. */
  away: boolean;
  /** What arrives is not answered. */
  deaf: boolean;
  bytesPerS: number;
  /** A line breaks after so many bytes of one message. */
  breaksAfter: number;
};

declare global {
  var net: Net;
}

/** @param page has been nowhere yet; its clock is the test's */
export async function fakeLines(page: Page): Promise<void> {
  await page.clock.install();
  await page.addInitScript(replaceSockets);
}

/** Runs in the window. */
function replaceSockets(): void {
  const begun: string[] = [];
  let photos = 0;
  const net: Net = {
    lines: [],
    arrived: [],
    begun: (type) => begun.filter((each) => each === type).length,
    away: false,
    deaf: false,
    bytesPerS: Number.POSITIVE_INFINITY,
    breaksAfter: Number.POSITIVE_INFINITY,
  };

  class FakeSocket implements Line {
    static readonly OPEN = 1;
    readonly url: string;
    readyState = 0;
    onopen: (() => void) | undefined;
    onmessage: ((event: { data: string }) => void) | undefined;
    onclose: ((event: { code: number; reason: string }) => void) | undefined;
    readonly #waiting: { text: string; left: number }[] = [];
    #moving = 0;

    constructor(url: string) {
      this.url = url;
      net.lines.push(this);
      setTimeout(() => (net.away ? this.end(1006) : this.#open()), 20);
    }

    get bufferedAmount(): number {
      return this.#waiting.reduce((sum, { left }) => sum + left, 0);
    }

    send(text: string): void {
      begun.push((JSON.parse(text) as Said).type);
      this.#waiting.push({ text, left: text.length });
    }

    say(message: object): void {
      this.onmessage?.({ data: JSON.stringify(message) });
    }

    close(): void {
      clearInterval(this.#moving);
      this.readyState = 3;
    }

    end(code: number, reason = ""): void {
      this.close();
      this.onclose?.({ code, reason });
    }

    #open(): void {
      if (this.readyState === 3) return; // let go meanwhile
      this.readyState = 1;
      this.#moving = window.setInterval(() => this.#move(), 1000);
      this.onopen?.();
      if (this.url.includes("/ws/reconstruct/")) this.say({ type: "connected", image_count: photos });
      else {
        this.say({ type: "initial_state_starting", total_shards: 0 });
        this.say({ type: "initial_state_complete", total_images: photos });
      }
    }

    /** What one second lets through. */
    #move(): void {
      let room = net.bytesPerS;
      for (let next = this.#waiting[0]; next && room > 0 && this.readyState === 1; next = this.#waiting[0]) {
        const goes = Math.min(room, next.left);
        next.left -= goes;
        room -= goes;
        if (next.text.length - next.left > net.breaksAfter) this.end(1006);
        else if (next.left === 0) {
          this.#waiting.shift();
          this.#take(JSON.parse(next.text) as Said);
        }
      }
    }

    #take(message: Said): void {
      net.arrived.push(message);
      if (net.deaf) return;
      if (message.type === "ping") this.say({ type: "pong" });
      if (message.type === "image") this.say({ type: "ack", image_count: ++photos, image_path: message.filename });
      if (message.type === "upload_image") {
        this.say({ type: "upload_acknowledged", client_ref: message.client_ref, image_id: `photo ${++photos}` });
      }
    }
  }

  Object.assign(window, { net, WebSocket: FakeSocket });
}
