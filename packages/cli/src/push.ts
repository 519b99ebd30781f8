/** `cairn push`: photos into a space, each until it is durable there; then what became of it. */
import { CairnApi, type SpaceConnection } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { openImageDecoder } from "@cairn/images";
import { CairnError, type Id, type Preset, processedPhotos, type SpaceState, shownGeneration } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { createUnlessThere, settingsOf } from "./make-space.ts";
import { cameraOf, findPhotos, type PhotoFile, sha256 } from "./photos.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";
import { exitCodeOf, type Named, printVerdicts } from "./verdicts.ts";

type PushOptions = {
  readonly server: string;
  readonly cameraParams?: number[];
  readonly wait?: boolean;
  readonly json?: boolean;
  readonly rebuildEvery?: number;
  readonly preset?: Preset;
};

type Sent = { readonly name: string; readonly image?: Id; readonly refused?: string };

export async function push(space: string, names: readonly string[], options: PushOptions): Promise<number> {
  const photos = await findPhotos(names);
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: options.json ?? false });
  const api = new CairnApi(apiOptions(options.server));
  let connection: SpaceConnection | undefined;
  try {
    await reach(options.server, () => createUnlessThere(api, space, settingsOf(options), signal));
    connection = connect({ ...apiOptions(options.server), space, parallelUploads: PARALLEL });
    const sent = await send(connection, photos);
    const verdicts: Named[] = options.wait ? await waitForVerdicts(connection, sent) : sent;
    const doubts = options.wait ? (shownGeneration(connection.state)?.published?.doubts ?? []) : [];
    progress.clear();
    if (options.json) process.stdout.write(`${JSON.stringify({ space, photos: withIds(sent, verdicts), doubts })}\n`);
    else printVerdicts(verdicts, doubts);
    return exitCodeOf(verdicts, doubts);
  } finally {
    progress.clear();
    connection?.close();
    release();
  }

  async function send(to: SpaceConnection, files: readonly PhotoFile[]): Promise<Sent[]> {
    const decoder = openImageDecoder({ processes: 1 });
    const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const sentBytes = new Array<number>(files.length).fill(0);
    const sendOne = async (file: PhotoFile, index: number): Promise<Sent> => {
      try {
        const bytes = await file.read();
        const camera = await cameraOf(options.cameraParams, decoder, bytes, signal);
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
      return await inOrder(files, PARALLEL, sendOne);
    } finally {
      await decoder.close();
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

/** Few at a time, so that the space gets them about as they were named. */
const PARALLEL = 2;

function withIds(sent: readonly Sent[], verdicts: readonly Named[]): object[] {
  return sent.map(({ name, image, refused }, i) => ({
    name,
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
    state.generation === 0 ||
    !state.settings.rebuildWhenIdle ||
    refined >= processedPhotos(state) ||
    lastRebuild === "failed" ||
    lastRebuild === "cancelled"
  );
}
