/**
 * The message bus before a private RabbitMQ: small messages with confirms, and how soon they flow again after the broker
 * was killed and its port answers once more.
 *
 *   node benchmarks/bus.mjs [--messages 100000]
 */
import { connect } from "node:net";
import { cpus } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Bus, exchangeNames } from "../packages/bus/dist/index.js";
import { brokerProgram, TestBroker } from "../packages/bus/dist/test/broker.js";

const { values } = parseArgs({ options: { messages: { type: "string", default: "100000" } } });
const total = Number(values.messages);
if (!brokerProgram()) {
  console.error("SKIPPED: rabbitmq-server is not installed (apt-get install rabbitmq-server)");
  process.exit(0);
}

const broker = await TestBroker.start();
const open = (node) =>
  new Bus({ url: broker.url, names: exchangeNames({}), node, onTrouble: (message) => console.error(`  ${message}`) });
const bus = open("producer");
const listener = open("listener");
let heard = 0;
let lastHeardMs = 0;
await listener.consume("imu_data_exchange", () => {
  heard++;
  lastHeardMs = performance.now();
});
while (!bus.connected || !listener.connected) await delay(20);

const body = Buffer.alloc(295, 0x61);
const options = { contentType: "application/json", headers: { source: "phone" } };

console.log(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}; one listener in the same process\n`);
for (const round of [1, 2, 3]) {
  heard = 0;
  const from = performance.now();
  const cpu = process.cpuUsage();
  for (let sent = 0; sent < total; ) {
    for (const end = Math.min(total, sent + 500); sent < end; sent++) bus.publish("imu_data_exchange", body, options);
    while (bus.stats.waiting > 5000) await delay(1);
  }
  await bus.settled();
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  while (heard < total) await delay(5);
  const each = ((user + system) / total).toFixed(1);
  console.log(
    `round ${round}: ${Math.round(total / seconds)} confirmed/s of ${body.length} bytes, ${each} µs CPU here a message` +
      ` (publishing and hearing), dropped ${bus.stats.dropped}`,
  );
}

for (const awaySeconds of [2, 20]) {
  await broker.kill();
  while (bus.connected || listener.connected) await delay(20);
  const publishing = setInterval(() => bus.publish("imu_data_exchange", body, options), 50);
  await delay(awaySeconds * 1000);
  let answeredMs = 0;
  const watching = (async () => {
    while (!(await answers(broker.port))) await delay(20);
    answeredMs = performance.now();
  })();
  const before = heard;
  await broker.start();
  await watching;
  while (heard === before) await delay(10);
  clearInterval(publishing);
  console.log(
    `broker away ${awaySeconds} s and its start: flowing ${((lastHeardMs - answeredMs) / 1000).toFixed(2)} s after its port answered`,
  );
}
await bus.close();
await listener.close();
await broker.close();

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
