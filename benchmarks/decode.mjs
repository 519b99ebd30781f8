/**
 * Decoding of live video: 1280 × 720 pictures a CPU second by the installed ffmpeg and by the embedded decoder, and
 * whether memory stays flat. CPU and memory are those of this process with its threads and of the program it runs. Beside
 * them, ffmpeg alone on the same stream, which nobody can beat who runs it.
 *
 *   node benchmarks/decode.mjs [--frames 10000] [--only ffmpeg,tinyh264,alone]
 *
 * The stream: 10 seconds of the handheld take of sevenscenes-video, scaled and coded anew (baseline profile, 4 Mbit/s, a
 * key picture every 2 s), over and over. Wanted: 60 pictures a CPU second, no growth from the first tenth on.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeDecoder, openVideoDecoder, openVideoFile } from "@cairn/video";
import { dataset, machine } from "./support.mjs";

const { values: options } = parseArgs({
  options: {
    frames: { type: "string", default: "10000" },
    only: { type: "string", default: "ffmpeg,tinyh264,alone" },
  },
});
const frames = Number(options.frames);
const FPS = 30;
const TICKS_PER_SECOND = 100;

const folder = mkdtempSync(join(tmpdir(), "cairn-decode-"));
const stream = join(folder, "720p.h264");
try {
  const take = join(dataset("sevenscenes-video"), "handheld.mp4");
  // biome-ignore format: pairs
  execFileSync("ffmpeg", [
    "-v", "error", "-i", take, "-t", "10", "-vf", "scale=1280:-2,crop=1280:720", "-c:v", "libx264", "-preset", "veryfast",
    "-profile:v", "baseline", "-b:v", "4M", "-g", String(2 * FPS), "-bsf:v", "dump_extra=freq=keyframe", stream,
  ]);
  const units = [];
  for await (const unit of (await openVideoFile(stream)).units()) units.push(unit);
  console.log(machine());
  console.log(
    `${frames} pictures of 1280 × 720, ${(units.reduce((sum, { data }) => sum + data.length, 0) / 1.25e6).toFixed(1)} Mbit/s`,
  );
  console.log("\n| decoder | pictures a CPU second | ms CPU a picture | memory after a tenth | at the end |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const name of options.only.split(",")) {
    if (name === "alone") await alone();
    else await decode(name, units);
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function decode(backend, units) {
  const description = await describeDecoder({ backend });
  if (!description) return console.log(`| ${backend} | SKIPPED: not installed | – | – | – |`);
  let seen = 0;
  let light = 0;
  const decoder = openVideoDecoder({
    backend,
    onFrame({ i420, trusted }) {
      if (!trusted) throw new Error(`picture ${seen} is not trusted`);
      seen++;
      light += i420[0];
    },
    onProblem(problem) {
      throw problem;
    },
  });
  const before = used();
  let early;
  for (let i = 0; i < frames; i++) {
    const timeNs = BigInt(Math.round((i * 1e9) / FPS));
    await decoder.decode({ ...units[i % units.length], timeNs });
    if (i + 1 === Math.ceil(frames / 10)) early = used();
  }
  // Before the end, while the program is there to be asked.
  const after = used();
  await decoder.flush();
  await decoder.close();
  if (seen !== frames || light === 0) throw new Error(`${seen} of ${frames} pictures came out`);
  say(`${backend} ${description.version}`, after.cpuS - before.cpuS, early.megabytes, after.megabytes);
}

/** The program's own reading and writing are all that is added to its decoding. */
function alone() {
  const loops = Math.ceil(frames / (10 * FPS));
  const list = Array.from({ length: loops }, () => stream).join("|");
  // biome-ignore format: pairs
  const { status, stderr } = spawnSync("/usr/bin/time", [
    "-f", "%U %S %M", "ffmpeg", "-v", "error", "-threads", "1", "-f", "h264", "-i", `concat:${list}`,
    "-frames:v", String(frames), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-y", "/dev/null",
  ], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const [user, system, peakKb] = stderr.trim().split("\n").at(-1).split(" ").map(Number);
  say("ffmpeg alone, to nowhere", user + system, peakKb / 1024, peakKb / 1024);
}

function say(name, cpuS, earlyMb, endMb) {
  const each = [(frames / cpuS).toFixed(0), ((1000 * cpuS) / frames).toFixed(2)];
  console.log(`| ${name} | ${each.join(" | ")} | ${earlyMb.toFixed(0)} MiB | ${endMb.toFixed(0)} MiB |`);
}

/** Of this process and those it runs (Linux): CPU seconds so far, and memory in use, MiB. */
function used() {
  globalThis.gc?.();
  const children = readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
  let [ticks, kilobytes] = [0, 0];
  for (const id of ["self", ...children]) {
    const [, rest] = readFileSync(`/proc/${id}/stat`, "utf8").split(") ");
    const fields = rest.split(" ");
    // utime and stime are the 14th and 15th, the state is the 3rd.
    ticks += Number(fields[11]) + Number(fields[12]);
    kilobytes += Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0);
  }
  return { cpuS: ticks / TICKS_PER_SECOND, megabytes: kilobytes / 1024 };
}
