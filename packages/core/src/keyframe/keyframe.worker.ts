/** The thread that watches one stream: decodes it, chooses keyframes, makes photos of them. */
import { StreamKeyframes } from "@cairn/video";
import { type Report, serve } from "@cairn/worker";
import type { KeyframeJobs, KeyframeTake } from "./keyframe-jobs.ts";

let stream: StreamKeyframes | undefined;

function takeOf(from: StreamKeyframes, report: Report): KeyframeTake {
  const { problem, keyframes: found, ...rest } = from.take();
  // The encoder's own memory cannot be moved, and a pool's would take others with it. `Buffer.slice` copies nothing.
  const keyframes = found.map((keyframe) => ({ ...keyframe, jpeg: new Uint8Array(keyframe.jpeg) }));
  for (const { jpeg } of keyframes) report.move(jpeg.buffer);
  return { ...rest, keyframes, ...(problem && { problem: problem.toJSON() }) };
}

serve<KeyframeJobs>({
  async take({ messages, decoder, demand, lookEveryMs }, report) {
    stream ??= new StreamKeyframes(decoder);
    stream.demand(demand, lookEveryMs);
    for (const message of messages) await stream.push(message);
    return takeOf(stream, report);
  },
  async end(_job, report) {
    const ended = stream ?? new StreamKeyframes();
    stream = undefined;
    await ended.flush();
    const left = takeOf(ended, report);
    await ended.close();
    return left;
  },
});
