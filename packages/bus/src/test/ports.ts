/**
 * For tests: ports of servers that are ended and come back. The system gives ports of its own range to whoever connects, so
 * one of that range may be taken while its server is away, even by the client that waits for it: by chance it connects to
 * itself. These lie below.
 */
import { once } from "node:events";
import { createServer } from "node:net";

/** Linux gives 32768 and above, others 49152 and above. */
const [FIRST, END] = [20_000, 32_000] as const;

/** Distinct ones that nobody listens at now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, "127.0.0.1"), "listening");
  } catch {
    return false;
  }
  await once(server.close(), "close");
  return true;
}
