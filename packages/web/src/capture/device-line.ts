/**
 * The socket of a device: video, samples of motion, and whatever the server tells it. One socket for all, so that a
 * picture and the motion at its time take the same way. Comes back by itself; what is not sent at once is lost.
 */
import { Backoff, openSocket } from "@cairn/client";
import { answerClock, CLOSE, isClockQuestion } from "@cairn/protocol";
import { epochNowNs } from "./clock.ts";

export type DeviceLine = {
  readonly open: boolean;
  /** Bytes that the network has not taken yet. */
  readonly waitingBytes: number;
  /** Opened, also again: whoever streams begins with a key picture. */
  onOpen(listener: () => void): void;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
};

type DevicePlace = {
  /** Of the server. */
  readonly url: string;
  readonly token: string | undefined;
  readonly source: string;
  readonly space: string;
};

type DeviceListeners = {
  /** What the server says that is worth showing. */
  onTold(text: string): void;
  /** Whoever came with this token may not stream. */
  onRefused(): void;
};

export function openDeviceLine(place: DevicePlace, { onTold, onRefused }: DeviceListeners): DeviceLine {
  const { url, token, source, space } = place;
  const address = new URL(`${url}/hub/ws/phone`);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ source, space, clock: "1" }).toString();
  const backoff = new Backoff();
  const openers = new Set<() => void>();
  let socket: WebSocket | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  function connect(): void {
    const own = openSocket(WebSocket, address.href, token);
    socket = own;
    own.onopen = () => {
      backoff.reset();
      for (const listener of openers) listener();
    };
    own.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data !== "string") return;
      const message = JSON.parse(data) as Record<string, unknown>;
      if (isClockQuestion(message)) own.send(JSON.stringify(answerClock(message, epochNowNs(), epochNowNs)));
      else if (message.type === "error" && typeof message.message === "string") onTold(message.message);
    };
    own.onclose = ({ code }) => {
      if (closed) return;
      if (code === CLOSE.unauthenticated || code === CLOSE.forbidden)
        onRefused(); // it would say so again
      else again = setTimeout(connect, backoff.nextMs());
    };
  }
  connect();

  const isOpen = () => socket?.readyState === WebSocket.OPEN;
  return {
    get open() {
      return isOpen();
    },
    get waitingBytes() {
      return socket?.bufferedAmount ?? 0;
    },
    onOpen(listener) {
      openers.add(listener);
    },
    send(data) {
      if (isOpen()) socket?.send(data);
    },
    close() {
      closed = true;
      clearTimeout(again);
      openers.clear();
      socket?.close();
    },
  };
}
