/** One question to a time server by SNTP over UDP (RFC 4330), with the answer held against what was asked. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";

export type SntpAnswer = {
  /** The server's clock − ours. */
  readonly offsetNs: bigint;
  /** On the way there and back: the offset is right to within half of it, whatever the ways were. */
  readonly roundTripNs: bigint;
  readonly stratum: number;
};

export type SntpOptions = {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Our clock, ns since 1970. */
  readonly now: () => bigint;
};

const PACKET_BYTES = 48;
const PORT = 123;
const VERSION_4_CLIENT = (4 << 3) | 3;
const MODE_SERVER = 4;
const LEAP_UNSYNCHRONISED = 3;
/** From 1900 to 1970. */
const NTP_EPOCH_S = 2_208_988_800n;
const SECOND_NS = 1_000_000_000n;

/**
 * @param server `host` or `host:port`, `[v6]:port`
 * @throws {Error} that says what was wrong: no such host, no answer in time, an answer that cannot be used
 */
export async function askSntp(server: string, { timeoutMs, signal, now }: SntpOptions): Promise<SntpAnswer> {
  const stop = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const { host, port } = hostOf(server);
  const { address, family } = await orStopped(lookup(host), stop);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    return await orStopped(
      new Promise<SntpAnswer>((resolve, reject) => {
        // Random, and not our time: nobody learns of our clock, and nobody who did not see it can answer.
        const cookie = randomBytes(8);
        let askedNs = 0n;
        socket.on("error", reject);
        socket.on("message", (packet) => {
          const receivedNs = now();
          // An answer to someone else, a late or a forged one: ours may still come.
          if (packet.length < PACKET_BYTES || !packet.subarray(24, 32).equals(cookie)) return;
          try {
            resolve(readAnswer(packet, askedNs, receivedNs));
          } catch (error) {
            reject(error);
          }
        });
        // Connected, so that the system lets nobody else's packets in.
        socket.connect(port, address, () => {
          const packet = Buffer.alloc(PACKET_BYTES);
          packet[0] = VERSION_4_CLIENT;
          cookie.copy(packet, 40);
          askedNs = now();
          socket.send(packet);
        });
      }),
      stop,
    );
  } finally {
    socket.close();
  }
}

function readAnswer(packet: Buffer, askedNs: bigint, receivedNs: bigint): SntpAnswer {
  const head = packet[0]!;
  const stratum = packet[1]!;
  if ((head & 7) !== MODE_SERVER) throw new Error(`mode ${head & 7} is no answer of a server`);
  if (stratum === 0) throw new Error(`sent away (${packet.toString("latin1", 12, 16).replace(/[^A-Z]/g, "")})`);
  if (stratum > 15 || head >> 6 === LEAP_UNSYNCHRONISED) throw new Error("the server does not know the time itself");
  const [heardNs, answeredNs] = [timeAt(packet, 32), timeAt(packet, 40)];
  const roundTripNs = receivedNs - askedNs - (answeredNs - heardNs);
  if (packet.readBigUInt64BE(40) === 0n || answeredNs < heardNs || roundTripNs < -SECOND_NS / 1000n) {
    throw new Error("the times of the answer contradict each other");
  }
  return {
    offsetNs: (heardNs - askedNs + (answeredNs - receivedNs)) / 2n,
    roundTripNs: roundTripNs > 0n ? roundTripNs : 0n,
    stratum,
  };
}

/** Seconds and 2^-32 of them since 1900; from 2036 on counted anew, told by the first bit. */
function timeAt(packet: Buffer, offset: number): bigint {
  const seconds = BigInt(packet.readUInt32BE(offset));
  const era = seconds < 2n ** 31n ? 2n ** 32n : 0n;
  const fraction = (BigInt(packet.readUInt32BE(offset + 4)) * SECOND_NS) >> 32n;
  return (seconds + era - NTP_EPOCH_S) * SECOND_NS + fraction;
}

/** A bare IPv6 address has colons of its own and no port. */
function hostOf(server: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
  return { host: bracketed ?? plain ?? server, port: port === undefined ? PORT : Number(port) };
}

function orStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = () => reject(stop.reason.name === "TimeoutError" ? new Error("no answer in time") : stop.reason);
    if (stop.aborted) stopped();
    stop.addEventListener("abort", stopped, { once: true });
    work.then(resolve, reject).finally(() => stop.removeEventListener("abort", stopped));
  });
}
