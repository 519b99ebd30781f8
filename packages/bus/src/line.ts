/**
 * The line to the broker: comes up when it can, for ever. Attempts are 1 s apart at first, doubling to 30 s (HUB-78); as long
 * as nobody listens at the broker's address, a look once a second notices when somebody does, so that a broker that was
 * away for long is not kept waiting for half a minute.
 */
import { connect as connectTcp } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelModel, connect } from "amqplib";
import { keepExact, type Receiver } from "./exact-headers.ts";

type LineEvents = {
  /** The line is up. What this throws takes it down again. */
  up(model: ChannelModel): Promise<void>;
  down(): void;
  /** Said once for each time that the broker goes away or stays away for another reason. */
  trouble(message: string): void;
};

const FIRST_MS = 1000;
const MOST_MS = 30_000;
const LOOK_MS = 1000;
const CONNECT_MS = 5000;
/** A broker that has not answered to the end of a line by then is not waited for. */
const GOODBYE_MS = 1000;
/** A line that held this long had been a good one: the next attempt comes soon. */
const GOOD_MS = 10_000;
/** Nobody there, as opposed to somebody who says no. */
const NOBODY = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EAI_AGAIN"]);

type BrokerAddress = { readonly host: string; readonly port: number; readonly url: string };

/** @throws {RangeError} not an AMQP URL. The message does not repeat it: it may hold a password. */
export function brokerAddress(url: string): BrokerAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^amqps?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new RangeError("the broker's URL must look like amqp://user:password@host:5672/vhost");
  }
  const port = parsed.port === "" ? (parsed.protocol === "amqps:" ? 5671 : 5672) : Number(parsed.port);
  // The resolver of a URL keeps the brackets of an IPv6 address, a socket wants them gone.
  return { host: parsed.hostname.replace(/^\[|\]$/g, ""), port, url };
}

/** Keeps the line up until `signal` says otherwise. @returns when it has been taken down */
export async function keepLine(address: BrokerAddress, events: LineEvents, signal: AbortSignal): Promise<void> {
  let attempt = 0;
  let told = "";
  while (!signal.aborted) {
    let since = Number.NaN;
    let nobody = false;
    try {
      const { model, leave } = await open(address.url);
      const gone = untilClosed(model, leave, signal);
      try {
        await events.up(model);
        since = performance.now();
        told = "";
        await gone;
      } finally {
        events.down();
        leave();
        await gone;
      }
      if (!signal.aborted) events.trouble("the broker closed the connection");
    } catch (error) {
      nobody = NOBODY.has(codeOf(error));
      const message = error instanceof Error ? error.message : String(error);
      if (message !== told && !signal.aborted) events.trouble(message);
      told = message;
    }
    attempt = performance.now() - since > GOOD_MS ? 1 : attempt + 1;
    const waitMs = Math.min(FIRST_MS * 2 ** (attempt - 1), MOST_MS) * (1 - 0.2 * Math.random());
    await waitOrAnswer(address, waitMs, nobody, signal);
  }
}

/** A line, and how to leave it: also before a broker that says nothing any more, whose socket would keep the process. */
async function open(url: string): Promise<{ model: ChannelModel; leave: () => void }> {
  const cut = new AbortController();
  const socket = { noDelay: true, timeout: CONNECT_MS, signal: cut.signal };
  const model = await connect(url, socket);
  const leave = () => {
    model.close().catch(() => {}); // it may be gone already, which is what is wanted
    setTimeout(() => cut.abort(), GOODBYE_MS).unref();
  };
  try {
    keepExact(model.connection as unknown as Receiver);
  } catch (error) {
    model.on("error", () => {}); // nobody else listens yet
    leave();
    throw error;
  }
  return { model, leave };
}

/** Ends with the line, which `signal` ends. Never fails: what was wrong is the line's end all the same. */
function untilClosed(model: ChannelModel, leave: () => void, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    model.on("error", () => {}); // `close` follows
    model.on("close", () => {
      signal.removeEventListener("abort", leave); // else each line that there ever was would be kept
      resolve();
    });
    signal.addEventListener("abort", leave);
    if (signal.aborted) leave();
  });
}

async function waitOrAnswer(address: BrokerAddress, waitMs: number, nobody: boolean, signal: AbortSignal) {
  const until = performance.now() + waitMs;
  for (let left = waitMs; left > 0 && !signal.aborted; left = until - performance.now()) {
    await delay(Math.min(left, LOOK_MS), undefined, { signal }).catch(() => {});
    if (nobody && !signal.aborted && (await answers(address))) return;
  }
}

function answers({ host, port }: BrokerAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port, timeout: LOOK_MS });
    const end = (there: boolean) => {
      socket.destroy();
      resolve(there);
    };
    socket.on("connect", () => end(true));
    socket.on("error", () => end(false));
    socket.on("timeout", () => end(false));
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
