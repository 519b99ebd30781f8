/** The decoding process: one job at a time, and an end when its parent is gone. */
import { CairnError } from "@cairn/protocol/errors";
import type { FromChild, Results, ToChild } from "./contract.ts";
import { edited } from "./edit-pixels.ts";
import { readExifTexts } from "./exif.ts";
import { decode, inspect, thumbnail, undistorted } from "./pixels.ts";

function send(message: FromChild): void {
  process.send?.(message);
}

async function run(job: ToChild): Promise<Results[keyof Results]> {
  if (job.kind === "inspect") return inspect(job.bytes);
  if (job.kind === "decode") return decode(job.bytes, job.maxSidePx);
  if (job.kind === "undistort") return undistorted(job.bytes, job.camera);
  if (job.kind === "edit") return edited(job.bytes, job.edit);
  if (job.kind === "exif") return readExifTexts(job.bytes);
  return thumbnail(job.bytes, job.maxSidePx, job.format);
}

process.on("disconnect", () => process.exit(0));
// A terminal sends Ctrl-C to the whole group, a service manager its end; the parent decides when this process goes.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("message", async (job: ToChild) => {
  try {
    const result = await run(job);
    send({ type: "done", result, rssBytes: process.memoryUsage.rss() });
  } catch (error) {
    // A decoder's own words can quote bytes of the file: only the code goes out.
    const known = error instanceof CairnError ? error : new CairnError("image.corrupt");
    send({ type: "failed", code: known.code, facts: known.facts, rssBytes: process.memoryUsage.rss() });
  }
});
send({ type: "ready" });
