/** `cairn record`: what comes live in a space, written down until Ctrl-C or a limit, and fetched. */
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { setTimeout } from "node:timers/promises";
import { CairnApi, type RecordingInfo, type RecordingWish } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { writeWhole } from "./out-file.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

type RecordOptions = Pick<RecordingWish, "name" | "channels" | "formats"> & {
  readonly server: string;
  readonly seconds?: number;
  readonly maxMib?: number;
  readonly out?: string;
  readonly json?: boolean;
};

const LOOK_EVERY_MS = 500;

export async function record(space: string, options: RecordOptions): Promise<number> {
  const { server, seconds, maxMib, out, json = false, name, channels, formats } = options;
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  try {
    const wish: RecordingWish = {
      name,
      channels,
      formats,
      maxDurationMs: seconds === undefined ? undefined : Math.ceil(seconds * 1000),
      maxBytes: maxMib === undefined ? undefined : maxMib * 2 ** 20,
    };
    const { recording } = await reach(server, () => api.startRecording(space, wish, { signal }));
    if (!json) process.stdout.write(`recording ${recording}; Ctrl-C ends it\n`);
    let now: RecordingInfo = await api.recording(space, recording);
    // It goes on whether the server can be asked just now or not.
    const look = () => api.recording(space, recording).catch((error: unknown) => passing(error) && now);
    for (; !now.ended && !signal.aborted; now = await look()) {
      progress.update(
        now.progress?.ending ? "finishing" : "recording",
        now.progress?.sizeBytes ?? 0,
        undefined,
        "bytes",
      );
      await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    const { ended } = now.ended ? now : await reach(server, () => api.stopRecording(space, recording));
    progress.clear();
    if (!ended) throw new Problem("the recording ends as soon as the server has room on its disk");
    const files = ended.files.map((file) => ({ ...file, path: out && join(out, basename(file.name)) }));
    for (const file of files) {
      if (!file.path) continue;
      const { body } = await api.recordingFile(space, recording, file.name);
      await writeWhole(file.path, Readable.fromWeb(body as ReadableStream<Uint8Array>));
    }
    if (json) process.stdout.write(`${JSON.stringify({ space, recording, ...ended, files })}\n`);
    else {
      for (const { path, name: own, sizeBytes } of files) {
        process.stdout.write(`${path ?? own}  ${(sizeBytes / 1e6).toFixed(1)} MB\n`);
      }
      process.stdout.write(`${space}: ${REASONS[ended.reason]}${ended.lost ? `, ${ended.lost} messages lost` : ""}\n`);
    }
    return files.length > 0 ? EXIT.ok : EXIT.failed;
  } finally {
    progress.clear();
    release();
  }
}

/** True for what another try may mend. @throws everything else */
function passing(error: unknown): true {
  if (error instanceof TypeError || (error instanceof CairnError && error.retry)) return true;
  throw error;
}

const REASONS: Record<NonNullable<RecordingInfo["ended"]>["reason"], string> = {
  stopped: "stopped",
  duration: "as long as it was to be",
  bytes: "as large as it may be",
  files: "more files than one recording may have",
  idle: "nothing came any more",
  disk_full: "the server's disk is full; what was recorded is here",
  disk_failed: "the server's disk refuses; what was recorded is here",
  server_stopping: "the server stopped; what was recorded is here",
  crashed: "the server was killed; what was recorded is here",
};
