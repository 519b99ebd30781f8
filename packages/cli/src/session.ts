/** `cairn session`: photos, or frames of a video, through a depth session to a GLB. */
import { type DepthParams, DepthRefused, type DepthResult, DepthSession } from "@cairn/client/depth";
import { depthOptions } from "@cairn/client/node";
import { EXIT, interruption, Problem } from "./exit.ts";
import { findPhotos } from "./named-files.ts";
import { writeWhole } from "./out-file.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";
import { videoFrames } from "./video-frames.ts";

type SessionOptions = {
  readonly server: string;
  readonly images?: readonly string[];
  readonly video?: string;
  readonly numFrames: number;
  readonly out: string;
  readonly incremental?: boolean;
  readonly processRes?: number;
  readonly processResMethod?: "upper_bound_resize" | "lower_bound_resize";
  readonly confThreshPercentile?: number;
  readonly numMaxPoints?: number;
  readonly showCameras: boolean;
  readonly json?: boolean;
};

type Picture = { readonly name: string; readonly read: () => Promise<Uint8Array> };
type Sent = { readonly name: string; readonly refused?: string };

/** Ctrl-C also ends the session on the server, with the work that was begun for it. */
export async function session(options: SessionOptions): Promise<number> {
  const { out, server, json = false, incremental = false } = options;
  if ((options.images === undefined) === (options.video === undefined)) {
    throw new Problem("name either photos with --images or a video with --video", EXIT.usage);
  }
  if (out === "-" && process.stdout.isTTY) {
    throw new Problem("a model is not for a terminal; name a file with --out, or pipe it on", EXIT.usage);
  }
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  let made: DepthSession | undefined;
  try {
    const pictures = await picturesOf(options, signal);
    const depth = await reach(server, () =>
      DepthSession.create(depthOptions(apiOptions(server)), paramsOf(options, pictures.length), signal),
    );
    made = depth;
    const sent: Sent[] = [];
    for (const [i, picture] of pictures.entries()) {
      progress.update("sending", i, pictures.length, "photos");
      sent.push(await sendOne(depth, picture, signal));
    }
    let writing: Promise<void> = Promise.resolve();
    const result = await depth.generate({
      incremental,
      signal,
      onProgress: (told) => progress.update(told.stage, Math.round(100 * told.progress), 100, "percent"),
      onPartial: (partial) => {
        // One after the other, and the whole model last.
        if (out === "-") return;
        writing = writing.then(() => writeWhole(out, [partial.glb]));
        writing.catch(() => undefined); // said below
      },
    });
    await writing;
    if (out === "-") await writeOut(result.glb);
    else await writeWhole(out, [result.glb]);
    progress.clear();
    const lines = json
      ? `${JSON.stringify({ session: depth.id, photos: sent, ...result.metadata })}\n`
      : told(sent, result);
    (out === "-" ? process.stderr : process.stdout).write(lines);
    return exitCode(sent, result);
  } catch (error) {
    if (signal.aborted) await made?.delete().catch(() => undefined);
    // Every photo is wrong, or there is no model: said once, in the server's words.
    throw error instanceof DepthRefused ? new Problem(error.message, EXIT.failed, error) : error;
  } finally {
    made?.close();
    progress.clear();
    release();
  }
}

async function picturesOf({ images, video, numFrames }: SessionOptions, signal: AbortSignal): Promise<Picture[]> {
  if (video === undefined) return findPhotos(images ?? []);
  return videoFrames(video, numFrames, signal);
}

function paramsOf(options: SessionOptions, photos: number): DepthParams {
  return {
    max_images: Math.min(1000, Math.max(100, photos)),
    process_res: options.processRes,
    process_res_method: options.processResMethod,
    conf_thresh_percentile: options.confThreshPercentile,
    num_max_points: options.numMaxPoints,
    show_cameras: options.showCameras,
  };
}

async function sendOne(depth: DepthSession, { name, read }: Picture, signal: AbortSignal): Promise<Sent> {
  try {
    return { name: (await depth.image(await read(), name, signal)) || name };
  } catch (error) {
    if (!(error instanceof DepthRefused)) throw error;
    return { name, refused: error.message };
  }
}

function told(sent: readonly Sent[], { glb, metadata }: DepthResult): string {
  const lines = sent.flatMap(({ name, refused }) => (refused === undefined ? [] : [`${name}  refused   ${refused}`]));
  for (const [i, name] of metadata.filenames.entries()) if (!metadata.registered[i]) lines.push(`${name}  not used`);
  const used = metadata.registered.filter(Boolean).length;
  lines.push(
    `${used} of ${sent.length} photos used, ${metadata.points3d_shape[0]} points, ${(glb.length / 1e6).toFixed(1)} MB`,
  );
  return `${lines.join("\n")}\n`;
}

function exitCode(sent: readonly Sent[], { metadata }: DepthResult): number {
  if (sent.some(({ refused }) => refused !== undefined)) return EXIT.failed;
  return metadata.registered.every(Boolean) ? EXIT.ok : EXIT.someNotUsed;
}

function writeOut(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
