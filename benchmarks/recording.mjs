/**
 * What recording a stream costs: CPU, memory, and the time of its end, as an MP4, as an MCAP, and as both; beside it
 * mediabunny's writer of fragmented MP4 with the same pictures. Each in a process of its own, one after the other, as
 * many rounds as asked. The stream is the one that is kept for tests, its pictures made as large as the rate asks.
 *
 *   node benchmarks/recording.mjs [--minutes 5] [--mbps 12] [--gop 30] [--rounds 2]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { EncodedPacket, EncodedVideoPacketSource, FilePathTarget, Mp4OutputFormat, Output } from "mediabunny";
import { openCore } from "../packages/core/dist/index.js";
import { AccessUnitAssembler, HUB_PACKET, parameterSets, readSps } from "../packages/video/dist/index.js";
import { machine } from "./support.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    mbps: { type: "string", default: "12" },
    gop: { type: "string", default: "30" },
    rounds: { type: "string", default: "2" },
    writer: { type: "string" },
  },
});
const RATE = 30;
const PICTURE_NS = 33_333_000n;
const [minutes, gop] = [Number(values.minutes), Number(values.gop)];
const pictures = Math.round(minutes * 60 * RATE);
const pictureBytes = Math.round((Number(values.mbps) * 1e6) / 8 / RATE);

/** One group of pictures. */
async function group() {
  const file = fileURLToPath(new URL("../packages/video/fixtures/baseline-90x74.h264", import.meta.url));
  const assembler = new AccessUnitAssembler();
  const units = [...assembler.push(await readFile(file), 0n), ...assembler.flush()];
  const [key] = units;
  const other = units.find((unit) => !unit.key);
  // Nobody decodes: what is more in the last slice costs as much as what would be right.
  const large = ({ data, key }) => ({
    key,
    data: Buffer.concat([data, Buffer.alloc(Math.max(0, pictureBytes - data.length), 0x5a)]),
  });
  return Array.from({ length: gop }, (_, i) => large(i === 0 ? key : other));
}

function memory() {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** @returns how a picture goes in, and how the file ends */
async function openRecorder(formats, folder) {
  const core = await openCore({ dataDir: join(folder, "data"), onError: console.error });
  const space = await core.spaces.create({ id: "place" });
  const { recording } = await core.recordings.start(space, { formats, maxBytes: 2 ** 36, maxDurationMs: 8.64e7 });
  const producer = core.video.open({ source: "front", space: "place" });
  const beganMs = performance.now();
  return {
    async add({ data, key }, n) {
      const arrivedMs = beganMs + (n * Number(PICTURE_NS)) / 1e6;
      const type = key ? HUB_PACKET.key : HUB_PACKET.frame;
      producer.publish({ type, flags: 0, timeNs: BigInt(n) * PICTURE_NS, arrivedMs, data });
      while (core.recordings.progress(recording).waitingBytes > 4e6) await setImmediate();
    },
    async end() {
      const { ended } = await core.recordings.stop(space, recording);
      if (ended.lost || ended.files.length !== formats.length) throw new Error(JSON.stringify(ended));
      await core.close();
      return ended.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    },
  };
}

async function openMediabunny(folder, { data }) {
  const path = join(folder, "a.mp4");
  const source = new EncodedVideoPacketSource("avc");
  const output = new Output({
    format: new Mp4OutputFormat({ fastStart: "fragmented" }),
    target: new FilePathTarget(path),
  });
  output.addVideoTrack(source);
  await output.start();
  const { codec, width, height } = readSps(parameterSets(data).sps);
  const meta = { decoderConfig: { codec, codedWidth: width, codedHeight: height } };
  return {
    add: ({ data, key }, n) =>
      source.add(new EncodedPacket(data, key ? "key" : "delta", (n * Number(PICTURE_NS)) / 1e9, 1 / RATE), meta),
    async end() {
      await output.finalize();
      return (await stat(path)).size;
    },
  };
}

async function write(writer) {
  const folder = await mkdtemp(join(tmpdir(), "cairn-recording-"));
  try {
    const units = await group();
    const to =
      writer === "mediabunny" ? await openMediabunny(folder, units[0]) : await openRecorder(writer.split("+"), folder);
    const before = process.cpuUsage();
    const held = [];
    for (let n = 0; n < pictures; n++) {
      await to.add(units[n % gop], n);
      if (n === Math.floor(pictures / 10) || n === pictures - 2) held.push(memory());
    }
    const { user, system } = process.cpuUsage(before);
    const endedMs = performance.now();
    const sizeBytes = await to.end();
    const endMs = performance.now() - endedMs;
    const all = process.cpuUsage(before);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    const [early, late] = held;
    process.send({
      cpuMs: (user + system) / 1000,
      endCpuMs: (all.user + all.system - user - system) / 1000,
      endMs,
      sizeBytes,
      grownBytes: late - early,
      peakBytes,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (values.writer) await write(values.writer);
else {
  console.log(
    `${machine()}\n${minutes} min at ${values.mbps} Mbit/s, a key picture every ${gop}; CPU a minute of video`,
  );
  console.log("| writer | recording, CPU ms/min | its end, CPU ms/min (wall ms) | heap grown | peak RSS | file |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const writer of ["mp4", "mediabunny", "mcap", "mp4+mcap"]) {
      const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--writer", writer], {
        execArgv: ["--expose-gc"],
      });
      const [told] = await once(child, "message");
      await once(child, "exit");
      const { cpuMs, endCpuMs, endMs, sizeBytes, grownBytes, peakBytes } = told;
      const perMin = (ms) => (ms / minutes).toFixed(0);
      console.log(
        `| ${writer} | ${perMin(cpuMs)} | ${perMin(endCpuMs)} (${endMs.toFixed(0)}) | ${mib(grownBytes)} | ${mib(peakBytes)} | ${mib(sizeBytes)} |`,
      );
    }
  }
}
