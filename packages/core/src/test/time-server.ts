/** For tests: a time server on the loopback that answers SNTP as it is told to, also wrongly. */
import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";

export type TimeServer = {
  /** `host:port`. */
  readonly name: string;
  /** How many questions came. */
  readonly asked: () => number;
  close(): void;
};

/** @param spoil changes an answer that is right; undefined: none is given */
export async function startTimeServer(
  offsetMs: number,
  spoil: (answer: Buffer) => Buffer | readonly Buffer[] | undefined = (answer) => answer,
): Promise<TimeServer> {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (question, from) => {
    asked++;
    const heard = ntpTime(offsetMs);
    const answer = Buffer.alloc(48);
    answer[0] = (4 << 3) | 4;
    answer[1] = 2;
    question.copy(answer, 24, 40, 48);
    answer.writeBigUInt64BE(heard, 32);
    answer.writeBigUInt64BE(ntpTime(offsetMs), 40);
    const spoilt = spoil(answer);
    for (const packet of spoilt === undefined ? [] : Buffer.isBuffer(spoilt) ? [spoilt] : spoilt) {
      socket.send(packet, from.port, from.address);
    }
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address() as AddressInfo;
  return { name: `127.0.0.1:${port}`, asked: () => asked, close: () => socket.close() };
}

function ntpTime(offsetMs: number): bigint {
  const ms = performance.timeOrigin + performance.now() + offsetMs;
  const seconds = Math.floor(ms / 1000);
  return ((BigInt(seconds) + 2_208_988_800n) << 32n) + BigInt(Math.floor((ms / 1000 - seconds) * 2 ** 32));
}
