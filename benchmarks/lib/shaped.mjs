/**
 * A link of a given rate between two processes: network namespaces with a token bucket (`tc tbf`) where that is allowed,
 * else a proxy in this process that lets bytes through at that rate and holds few of them.
 */
import { execFileSync, fork } from "node:child_process";
import { createConnection, createServer } from "node:net";

const run = (command, ...args) => execFileSync(command, args, { stdio: ["ignore", "pipe", "pipe"] });

/** @returns how to start a process at either end, and the address at which the far end reaches a port of the near end */
export async function shapedLink(megabits) {
  const name = `cairn${process.pid}`;
  const [near, far] = [`${name}a`, `${name}b`];
  try {
    run("ip", "netns", "add", near);
    run("ip", "netns", "add", far);
    process.on("exit", () => {
      for (const ns of [near, far]) run("ip", "netns", "del", ns);
    });
    run("ip", "link", "add", "cairn0", "netns", near, "type", "veth", "peer", "name", "cairn1", "netns", far);
    for (const [ns, device, address] of [
      [near, "cairn0", "10.77.0.1/24"],
      [far, "cairn1", "10.77.0.2/24"],
    ]) {
      run("ip", "-n", ns, "addr", "add", address, "dev", device);
      run("ip", "-n", ns, "link", "set", device, "up");
      run("ip", "-n", ns, "link", "set", "lo", "up");
    }
    // What routers do: 200 ms of queue.
    const tbf = ["tbf", "rate", `${megabits}mbit`, "burst", "16kb", "latency", "200ms"];
    run("tc", "-n", near, "qdisc", "add", "dev", "cairn0", "root", ...tbf);
    const inside = (ns) => (file) =>
      fork(file, { execPath: "/usr/bin/env", execArgv: ["ip", "netns", "exec", ns, process.execPath] });
    return {
      how: "network namespaces, tc tbf",
      host: "10.77.0.1",
      near: inside(near),
      far: inside(far),
      via: async (port) => `10.77.0.1:${port}`,
    };
  } catch (error) {
    const via = (port) => proxy(port, (megabits * 1e6) / 8);
    return {
      how: `a shaping proxy, for ${String(error.message).split("\n")[0]}`,
      host: "127.0.0.1",
      near: fork,
      far: fork,
      via,
    };
  }
}

/** Lets through `bytesPerS` towards who connects, over all connections together. */
async function proxy(port, bytesPerS) {
  let freeMs = 0;
  const server = createServer((client) => {
    const upstream = createConnection({ port, host: "127.0.0.1", noDelay: true });
    client.setNoDelay(true);
    client.pipe(upstream);
    upstream.on("data", (data) => {
      // Held here is what a router would hold; the rest waits in the sender's kernel.
      upstream.pause();
      freeMs = Math.max(freeMs, performance.now()) + (data.length / bytesPerS) * 1000;
      setTimeout(() => {
        client.write(data);
        upstream.resume();
      }, freeMs - performance.now());
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return `127.0.0.1:${server.address().port}`;
}
