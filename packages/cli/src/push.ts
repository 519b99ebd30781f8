/** `cairn push`: photos and videos into a space, each photo until it is durable there; then what became of it. */
import { CairnApi, type SpaceConnection } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { openImageDecoder } from "@cairn/images";
import {
  CairnError,
  type Id,
  owesFirstLook,
  type Preset,
  processedPhotos,
  type SpaceState,
  shownGeneration,
} from "@cairn/protocol";
import { type ClipEnd, eachKeyframe } from "./clips.ts";
import { EXIT, interruption, Problem } from "./exit.ts";
import { type CameraOptions, KnownCamera } from "./known-camera.ts";
import { createUnlessThere, settingsOf } from "./make-space.ts";
import { type Clip, findFiles, type PhotoFile } from "./named-files.ts";
import { sha256 } from "./photos.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";
import { exitCodeOf, type Named, printVerdicts } from "./verdicts.ts";

type PushOptions = CameraOptions & {
  readonly server: string;
  readonly wait?: boolean;
  readonly json?: boolean;
  readonly rebuildEvery?: number;
  readonly preset?: Preset;
};

type Sent = { readonly name: string; readonly image?: Id; readonly refused?: string; readonly clip?: string };

export async function push(space: string, names: readonly string[], options: PushOptions): Promise<number> {
  const { photos, clips } = await findFiles(names);
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: options.json ?? false });
  const api = new CairnApi(apiOptions(options.server));
  /** What is to be said of the videos. */
  const notes: string[] = [];
  let connection: SpaceConnection | undefined;
  try {
    await reach(options.server, () => createUnlessThere(api, space, settingsOf(options), signal));
    connection = connect({ ...apiOptions(options.server), space, parallelUploads: PARALLEL });
    const { sent, camera } = await send(connection, photos);
    for (const clip of clips) sent.push(...(await sendClip(connection, clip, camera)));
    if (camera?.note) notes.push(camera.note);
    const verdicts: Named[] = options.wait ? await waitForVerdicts(connection, sent) : sent;
    const doubts = options.wait ? (shownGeneration(connection.state)?.published?.doubts ?? []) : [];
    progress.clear();
    if (options.json) {
      const uncalibrated = camera && { uncalibrated: camera.unlike };
      const all = { space, photos: withIds(sent, verdicts), doubts, ...uncalibrated };
      process.stdout.write(`${JSON.stringify(all)}\n`);
    } else {
      for (const note of notes) process.stdout.write(`${note}\n`);
      printVerdicts(verdicts, doubts);
    }
    return exitCodeOf(verdicts, doubts);
  } finally {
    progress.clear();
    connection?.close();
    release();
  }

  async function send(to: SpaceConnection, files: readonly PhotoFile[]) {
    const decoder = openImageDecoder({ processes: 1 });
    const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const sentBytes = new Array<number>(files.length).fill(0);
    let known: KnownCamera | undefined;
    const sendOne = async (file: PhotoFile, index: number): Promise<Sent> => {
      try {
        const bytes = await file.read();
        const camera = known?.cameraOf(file.name, await decoder.inspect(bytes, signal));
        const receipt = await to.upload(bytes, {
          name: file.name,
          // The same photo pushed again is the same image: an interrupted push can simply be repeated.
          key: `push:${sha256(bytes)}`,
          signal,
          ...(camera ? { camera } : {}),
          onProgress: (sent) => {
            sentBytes[index] = sent;
            progress.update(
              "sending",
              sentBytes.reduce((a, b) => a + b, 0),
              totalBytes,
              "bytes",
            );
          },
        });
        return { name: file.name, image: receipt.image };
      } catch (error) {
        if (!(error instanceof CairnError) || signal.aborted || error.code.startsWith("space.")) throw error;
        return { name: file.name, refused: error.message };
      }
    };
    try {
      known = await KnownCamera.open(options, files, decoder, signal);
      return { sent: await inOrder(files, PARALLEL, sendOne), camera: known };
    } finally {
      await decoder.close();
    }
  }

  /** Decodes a video and sends its keyframes as they are found, few at a time; decoding waits for sending. */
  async function sendClip(to: SpaceConnection, clip: Clip, known: KnownCamera | undefined): Promise<Sent[]> {
    const sent: Sent[] = [];
    const sending = new Set<Promise<void>>();
    let failure: unknown;
    try {
      const end = await eachKeyframe(
        clip,
        async ({ name, jpeg, width, height, ...facts }) => {
          if (failure) throw failure;
          const camera = known?.cameraOf(name, { width, height });
          const place = sent.push({ name, clip: clip.name }) - 1;
          const upload = to.upload(jpeg, { name, ...facts, signal, ...(camera && { camera }) }).then(
            ({ image }) => {
              sent[place] = { name, image, clip: clip.name };
            },
            (error: unknown) => {
              if (!(error instanceof CairnError) || signal.aborted || error.code.startsWith("space.")) failure = error;
              else sent[place] = { name, refused: error.message, clip: clip.name };
            },
          );
          sending.add(upload);
          void upload.finally(() => sending.delete(upload));
          if (sending.size >= PARALLEL) await Promise.race(sending);
        },
        (part) => progress.update(`reading ${clip.name}`, Math.round(100 * part), 100, "percent"),
        signal,
      );
      await Promise.all(sending);
      if (failure) throw failure;
      notes.push(clipNote(clip, sent.length, end));
      return sent;
    } catch (error) {
      await Promise.allSettled(sending);
      if (!(error instanceof CairnError) || !error.code.startsWith("video.")) throw error;
      return [...sent, { name: clip.name, refused: error.message }];
    }
  }

  async function waitForVerdicts(to: SpaceConnection, sent: readonly Sent[]): Promise<Named[]> {
    const images = sent.flatMap(({ image }) => image ?? []);
    await to.waitFor(
      (state) => {
        const judged = images.filter((image) => state.images[image]?.verdict);
        progress.update("placing", judged.length, images.length, "photos");
        return judged.length === images.length && settled(state);
      },
      { signal },
    );
    return sent.map(({ name, image, refused }) => {
      if (refused !== undefined || !image) return { name, refused: refused ?? "not sent" };
      const verdict = to.state.images[image]?.verdict;
      return { name, ...(verdict ? { verdict } : {}) };
    });
  }
}

/** `walk.mp4  984 pictures, 81 chosen` */
function clipNote({ name }: Clip, chosen: number, { frames, untrusted, cutOff }: ClipEnd): string {
  const damage = untrusted > 0 ? `, ${untrusted} damaged` : "";
  return `${name}  ${frames} pictures${damage}, ${chosen} chosen${cutOff ? "; the file is cut off" : ""}`;
}

/** Few at a time, so that the space gets them about as they were named. */
const PARALLEL = 2;

function withIds(sent: readonly Sent[], verdicts: readonly Named[]): object[] {
  return sent.map(({ name, image, refused, clip }, i) => ({
    name,
    ...(clip ? { video: clip } : {}),
    ...(image ? { image } : {}),
    ...(refused === undefined ? { received: true } : { received: false, problem: refused }),
    ...(verdicts[i]?.verdict ? { verdict: verdicts[i].verdict } : {}),
  }));
}

/** Runs at most `parallel` at a time, started in order. The first failure stops what has not started. */
async function inOrder<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, lane));
  if (results.includes(undefined as R)) throw new Problem("stopped before all photos were sent", EXIT.failed);
  return results;
}

/** Nothing is at work, and what was placed has been refined together: verdicts and model stay until the next photo. */
function settled(state: SpaceState): boolean {
  const operations = Object.values(state.operations);
  if (operations.some(({ status }) => status === "running" || status === "queued")) return false;
  const refined = shownGeneration(state)?.published?.refined ?? 0;
  const lastRebuild = operations.findLast(({ kind }) => kind === "rebuild")?.status;
  return (
    !state.settings.rebuildWhenIdle ||
    (state.generation === 0 ? !owesFirstLook(state) : refined >= processedPhotos(state)) ||
    lastRebuild === "failed" ||
    lastRebuild === "cancelled"
  );
}
