/** Images in and out. Rules IMG-25 to IMG-30, IMG-35, IMG-36, IMG-38 to IMG-41. */

import { Readable } from "node:stream";
import { ingestImage, removeImage, type ZipEntry, zipped } from "@cairn/core";
import { CairnError, type Digest, type ImageState, shownVersion } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { disposition } from "../../http/disposition.ts";
import { matchesEtag } from "../../http/etag.ts";
import { sendBlob } from "../../http/send-blob.ts";
import { readFields } from "../fields.ts";
import { type Form, missing } from "../form.ts";
import { type FieldProblem, Refusal } from "../refusal.ts";
import { clientId, editing, findImage, findSession, type ImagetoolsHouse, imageRefusal, openSession } from "./house.ts";
import { BY_HANDLER, mustReach } from "./places.ts";
import { API, fileName, imageResponse } from "./shapes.ts";
import { readSource, refuseForeign, withUpload } from "./upload.ts";

type Named = { Params: { image: string } };
type UploadRequest = FastifyRequest<{ Querystring: Record<string, unknown> }>;

const THUMBNAIL_SIDE_PX = 300;
/** The address stays and the picture changes: it is asked for each time, and then seldom sent. */
const ALWAYS_ASKED = "private, no-cache";

const ZipBody = Type.Object({ image_ids: Type.Array(Type.String(), { maxItems: 10_000 }) });

export function imageRoutes(app: FastifyInstance, house: ImagetoolsHouse): void {
  const { core, decoder } = house.context;
  const thumbnail = thumbnails(house);

  const add = async (request: UploadRequest, { file, fields }: Form) => {
    const sessionId = fields.session_id ?? queryText(request.query.session_id);
    const problems: FieldProblem[] = [];
    if (sessionId === undefined) problems.push(missing("session_id"));
    if (!file) problems.push(missing("file"));
    if (sessionId === undefined || !file) throw new Refusal(422, problems);
    mustReach(request, sessionId);
    const source = readSource(fields.source ?? queryText(request.query.source));
    const session = await openSession(house, sessionId);
    refuseForeign(file.bytes);
    const contributor = clientId(request.headers["x-client-id"]) ?? clientId(fields.client_id);
    const { space } = session;
    try {
      const { image } = await ingestImage(
        core,
        space,
        { ...file, source, ...(contributor !== undefined && { contributor }) },
        decoder,
      );
      return imageResponse(space.id, findImage(house, image).image);
    } catch (error) {
      if (error instanceof CairnError && error.code === "space.quota" && "maxImages" in error.facts) {
        throw new Refusal(400, `Maximum ${error.facts.maxImages} images per session`);
      }
      throw imageRefusal(error);
    }
  };
  app.post(`${API}/images`, BY_HANDLER, async (request: UploadRequest) =>
    withUpload(request, house, (form) => add(request, form)),
  );

  app.get<{ Params: { session: string } }>(`${API}/images/session/:session`, async ({ params }) => {
    const session = await findSession(house, params.session);
    if (!session) return [];
    const { images } = session.space.log.snapshot().state;
    return Object.values(images)
      .sort((a, b) => b.seq - a.seq)
      .map((image) => imageResponse(params.session, image));
  });

  app.get<Named>(`${API}/images/:image`, async ({ params }) => {
    const { space, image } = findImage(house, params.image);
    return imageResponse(space.id, image);
  });

  app.get<Named>(`${API}/images/:image/current`, async (request, reply) => {
    const { image } = findImage(house, request.params.image);
    const { blob: digest, mediaType } = shownVersion(image);
    reply.header("content-disposition", disposition("inline", fileName(image)));
    return sendBlob(request, reply, { blobs: core.blobs, digest, mediaType, cacheControl: ALWAYS_ASKED });
  });

  app.get<Named>(`${API}/images/:image/thumbnail`, async (request, reply) => {
    const { image } = findImage(house, request.params.image);
    const { blob } = shownVersion(image);
    const etag = `"${blob}-${THUMBNAIL_SIDE_PX}"`;
    reply.header("etag", etag).header("cache-control", ALWAYS_ASKED);
    if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type("image/jpeg").send(await thumbnail(blob));
  });

  app.get<Named>(`${API}/images/:image/exif`, async ({ params }) => {
    const { image } = findImage(house, params.image);
    return { image_id: image.image, exif: await decoder.exif(await core.blobs.get(shownVersion(image).blob)) };
  });

  app.delete<Named>(`${API}/images/:image`, async (request) => {
    const { house: where, image } = editing(house, request.params.image, request);
    await removeImage(where, image.image).catch((error: unknown) => {
      throw imageRefusal(error);
    });
    return { success: true, message: "Image deleted" };
  });

  app.post(`${API}/images/download-zip`, { config: { role: "view" } }, async (request, reply) => {
    const { image_ids: ids } = readFields(ZipBody, request.body ?? {}, "body");
    if (ids.length === 0) throw new Refusal(400, "No images");
    const images = [...new Set(ids)].map((id) => findImage(house, id).image);
    const name = `Images-${new Date().toISOString().slice(0, 10)}.zip`;
    reply.header("content-disposition", disposition("attachment", name));
    return reply.type("application/zip").send(Readable.from(zipped(entries(house, images))));
  });
}

/** Pictures do not get smaller in a zip. Names that several have are told apart by numbers. */
function* entries({ context }: ImagetoolsHouse, images: readonly ImageState[]): Generator<ZipEntry> {
  const taken = new Set<string>();
  for (const image of images) {
    const wanted = fileName(image);
    let name = wanted;
    for (let copy = 1; taken.has(name.toLowerCase()); copy++) name = wanted.replace(/(\.\w+)?$/, ` (${copy})$1`);
    taken.add(name.toLowerCase());
    const { blob } = shownVersion(image);
    yield {
      name,
      compress: false,
      bytes: async function* () {
        yield await context.core.blobs.get(blob);
      },
    };
  }
}

/** Made once; several who ask at once share the work. */
function thumbnails({ context }: ImagetoolsHouse): (blob: Digest) => Promise<Buffer> {
  const cache = context.cache("thumbnails");
  const making = new Map<Digest, Promise<Buffer>>();
  async function make(blob: Digest): Promise<Buffer> {
    const key = `${blob} ${THUMBNAIL_SIDE_PX}`;
    const known = await cache.get(key);
    if (known) return Buffer.from(known);
    const made = await context.decoder.thumbnail(await context.core.blobs.get(blob), THUMBNAIL_SIDE_PX);
    await cache.put(key, made);
    return Buffer.from(made);
  }
  return (blob) => {
    const known = making.get(blob);
    if (known) return known;
    const made = make(blob).finally(() => making.delete(blob));
    making.set(blob, made);
    return made;
  };
}

function queryText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
