/** The older way in, over HTTP: one photo a request, the whole cloud as the answer. Rules HER-49 to HER-53. */
import { randomUUID } from "node:crypto";
import { modelFromLayer, movePoints } from "@cairn/cloud";
import { CairnError, type Id, shownGeneration } from "@cairn/protocol";
import type { FastifyInstance, FastifyReply } from "fastify";
import { requestReaches } from "../../http/access.ts";
import { missing, withForm } from "../form.ts";
import { Refusal } from "../refusal.ts";
import { HERITAGE, type HeritageHouse } from "./house.ts";
import type { Step } from "./progress.ts";
import type { Project } from "./project.ts";
import { plyOf } from "./shards.ts";
import { allowed } from "./status-routes.ts";
import { refusalText } from "./upload.ts";

const MOST_POINTS = 1_000_000;
const VERTEX_BYTES = 15;
/** The label that names the blob of a scene's picture. */
const THUMBNAIL = "heritage.thumbnail";
const THUMBNAIL_SIDE_PX = 300;
const PHOTO = { unnamed: "photo", fileBytes: 64 * 2 ** 20, tooLarge: "Request body too large" };

type Named = { Params: { project: string; tag: string } };

export function legacyRoutes(app: FastifyInstance, house: HeritageHouse): void {
  const { core, decoder, uploadBudget } = house.context;
  const photo = { ...PHOTO, budget: uploadBudget };

  app.post<Named>("/pointcloud/:project", async (request, reply) => {
    const upload = { ...photo, file: "file" };
    const { project, from, receipt, fields } = await withForm(request, upload, async ({ file, fields }) => {
      if (!file) throw new Refusal(422, [missing("file")]);
      const project = await allowed(() => house.open(request.params.project));
      const from = project.position;
      const receipt = await house.ingest(project, file, project.space.signal).catch((error: unknown) => {
        const text = refusalText(error);
        if (text?.endsWith("not a readable image")) throw new Refusal(400, "File must be an image");
        if (text) throw new Refusal(400, text);
        throw error;
      });
      return { project, from, receipt, fields };
    });
    if (fields.user_id !== undefined) {
      return { success: true, message: "Image received, processing...", image_id: receipt.image };
    }
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort(new CairnError("operation.cancelled")));
    const step = await outcome(project, receipt.image, from, AbortSignal.any([project.space.signal, gone.signal]));
    if (step.kind === "failed") throw new Refusal(500, `Reconstruction failed: ${step.cause}`);
    return sendCloud(reply, house, project, receipt.image);
  });

  app.get<Named>("/pointcloud/:project/:tag", async (request, reply) => {
    const project = await allowed(() => house.find(request.params.project));
    if (!project || project.progress.sets.length === 0) return { error: "Point cloud not found" };
    const newest = Object.keys(shownGeneration(project.space.log.snapshot().state)?.cameras ?? {}).at(-1);
    return sendCloud(reply, house, project, newest);
  });

  app.get("/scenes", { config: { place: "own" } }, async (request) => {
    const spaces = (await core.spaces.list()).filter(
      ({ id, labels }) => labels?.[HERITAGE] === true && requestReaches(request, id),
    );
    const scenes = await Promise.all(
      spaces.map(async ({ id }) => {
        // One scene whose photo is lost hides no other.
        const picture = await core.spaces
          .open(id)
          .then(({ log }) => thumbnail(log.snapshot().state))
          .catch((error: unknown) => {
            house.context.log.warn({ err: error, space: id }, "a scene has no picture");
            return undefined;
          });
        return picture ? [{ name: id, thumbnail: picture.toString("base64") }] : [];
      }),
    );
    return { scenes: scenes.flat() };
  });

  app.post<Named>("/scene/:project", async (request) => {
    const { space, png } = await withForm(request, { ...photo, file: "thumbnail" }, async ({ file }) => {
      if (!file) throw new Refusal(422, [missing("thumbnail")]);
      const { space } = await allowed(() => house.open(request.params.project));
      const png = await decoder.thumbnail(file.bytes, THUMBNAIL_SIDE_PX, { format: "png" }).catch((error: unknown) => {
        if (error instanceof CairnError && error.code.startsWith("image."))
          throw new Refusal(400, "File must be an image");
        throw error;
      });
      return { space, png };
    });
    const { digest } = await core.blobs.put(png);
    await space.label({ [THUMBNAIL]: digest });
    return { thumbnail_path: `/v1/blobs/${digest}` };
  });

  app.get<Named>("/scene/:project", async (request) => {
    const project = await allowed(() => house.find(request.params.project));
    const picture = project && (await thumbnail(project.space.log.snapshot().state));
    if (!picture) throw new Refusal(404, "Scene not found");
    return { thumbnail_path: picture.toString("base64") };
  });

  /** The picture that was uploaded; else the first photo, small. */
  async function thumbnail({
    labels,
    images,
  }: Pick<ReturnType<Project["space"]["log"]["snapshot"]>["state"], "labels" | "images">) {
    const own = labels?.[THUMBNAIL];
    if (typeof own === "string") return Buffer.from(await core.blobs.get(own));
    const first = Object.values(images)[0];
    if (!first) return undefined;
    return Buffer.from(await decoder.thumbnail(await core.blobs.get(first.blob), THUMBNAIL_SIDE_PX, { format: "png" }));
  }
}

/** What became of a photo. @throws the signal's reason when it aborts first */
function outcome(
  project: Project,
  image: Id,
  from: number,
  signal: AbortSignal,
): Promise<Exclude<Step, { kind: "started" }>> {
  return new Promise((resolve, reject) => {
    let position = from;
    const look = () => {
      for (let step = project.at(position); step; step = project.at(++position)) {
        if (step.image !== image || step.kind === "started") continue;
        leave();
        resolve(step);
        return;
      }
    };
    const onEnd = () => {
      leave();
      reject(signal.reason);
    };
    const stop = project.onStep(look);
    const leave = () => {
      stop();
      signal.removeEventListener("abort", onEnd);
    };
    signal.addEventListener("abort", onEnd, { once: true });
    if (signal.aborted) onEnd();
    else look();
  });
}

/** The whole cloud, evenly thinned, and where one photo was taken from. */
async function sendCloud(
  reply: FastifyReply,
  house: HeritageHouse,
  project: Project,
  image: Id | undefined,
): Promise<FastifyReply> {
  const { reference, increments, sets } = project.progress;
  const { id, log } = project.space;
  const lists = await Promise.all(sets.map((set) => house.shards.list(id, set)));
  const total = lists.flatMap(({ counts }) => counts).reduce((sum, count) => sum + count, 0);
  const every = Math.max(1, Math.ceil(total / MOST_POINTS));
  const kept: Buffer[] = [];
  let seen = 0;
  for (const [i, set] of sets.entries()) {
    for (const [index, count] of lists[i]!.counts.entries()) {
      const shard = await house.shards.read(id, set, index);
      const vertices = shard.subarray(shard.length - count * VERTEX_BYTES);
      if (every === 1) kept.push(vertices);
      else kept.push(everyNth(vertices, (every - (seen % every)) % every, every));
      seen += count;
    }
  }
  const camera = image === undefined ? undefined : shownGeneration(log.snapshot().state)?.cameras[image];
  const pose = camera ? cameraToFrame(camera.pose, reference.frame ?? increments[0]?.frame) : null;
  const boundary = randomUUID();
  const part = (name: string, type: string, body: Buffer) =>
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: ${type}\r\n` +
          `Content-Length: ${body.length}\r\n\r\n`,
      ),
      body,
      Buffer.from("\r\n"),
    ]);
  const body = Buffer.concat([
    part("pointcloud", "application/octet-stream", plyOf(kept)),
    part("camera_pose", "application/json", Buffer.from(JSON.stringify(pose))),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  return reply.type(`multipart/form-data; boundary=${boundary}`).send(body);
}

function everyNth(vertices: Buffer, first: number, every: number): Buffer {
  const count = Math.max(0, Math.ceil((vertices.length / VERTEX_BYTES - first) / every));
  const kept = Buffer.alloc(count * VERTEX_BYTES);
  for (let i = 0; i < count; i++) {
    const at = (first + i * every) * VERTEX_BYTES;
    vertices.copy(kept, i * VERTEX_BYTES, at, at + VERTEX_BYTES);
  }
  return kept;
}

type Pose = {
  readonly rotation: readonly [number, number, number, number];
  readonly translation: readonly [number, number, number];
};

/** 4×4 row-major camera→frame of the shards. @param frame model→that frame */
function cameraToFrame(pose: Pose, frame: Pose | undefined): number[][] {
  const place = (of: Pose) =>
    modelFromLayer({ transform: { scale: 1, rotation: [...of.rotation], translation: [...of.translation] } });
  const world = place(pose);
  // The camera's axes and centre in the model: the inverse of a rotation is its transpose.
  const axis = (k: number) => [world[k]!, world[k + 4]!, world[k + 8]!];
  const t = [world[12]!, world[13]!, world[14]!];
  const centre = [0, 1, 2].map((row) => -[0, 1, 2].reduce((sum, k) => sum + world[row * 4 + k]! * t[k]!, 0));
  const points = Float64Array.from([...centre, ...[0, 1, 2].flatMap((k) => axis(k).map((v, row) => v + centre[row]!))]);
  if (frame) movePoints(place(frame), points, points);
  const column = (k: number) => [0, 1, 2].map((row) => points[3 * (k + 1) + row]! - points[row]!);
  const [x, y, z] = [column(0), column(1), column(2)];
  return [...[0, 1, 2].map((row) => [x[row]!, y[row]!, z[row]!, points[row]!]), [0, 0, 0, 1]];
}
