import { ingestImage, type Space } from "@cairn/core";
import { MAX_IMAGE_BYTES } from "@cairn/images";
import { CairnError, type ImageState } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ServerContext } from "../context.ts";
import { readingBody } from "../http/answer-early.ts";
import { matchesEtag } from "../http/etag.ts";
import {
  ErrorShape,
  fileAnswer,
  ImageParams,
  ImageShape,
  Receipt,
  refusals,
  SpaceParams,
  UploadQuery,
  UploadResults,
} from "../http/schemas.ts";
import { answerForm, takeForm } from "./image-form.ts";
import { photoFacts } from "./photo-facts.ts";
import { thumbnails } from "./thumbnails.ts";

/** Photos in, one or many, and what is known of them. */
export function imageRoutes(app: FastifyInstance, context: ServerContext): void {
  const { core, decoder, uploadBudget } = context;
  const thumbnail = thumbnails(context);

  async function take(request: FastifyRequest, space: Space, stream: AsyncIterable<Uint8Array>, fields: UploadQuery) {
    const facts = photoFacts(fields);
    return uploadBudget.collect(stream, MAX_IMAGE_BYTES, (bytes) =>
      ingestImage(core, space, { ...facts, bytes, source: "http" }, decoder, senderGone(request)),
    );
  }

  app.post<{ Params: SpaceParams; Querystring: UploadQuery }>(
    "/v1/spaces/:space/images",
    {
      schema: {
        operationId: "addImages",
        description:
          "One photo as the body (`image/*` or `application/octet-stream`), or many as `multipart/form-data`. A form is " +
          "answered 201 when every file was taken, 207 when some were refused, and like the first refusal when all were.",
        consumes: ["application/octet-stream", "image/*", "multipart/form-data"],
        params: SpaceParams,
        querystring: UploadQuery,
        response: {
          200: Receipt,
          201: Type.Union([Receipt, UploadResults]),
          207: UploadResults,
          "4xx": Type.Union([ErrorShape, Type.Intersect([ErrorShape, UploadResults])]),
          "5xx": Type.Union([ErrorShape, Type.Intersect([ErrorShape, UploadResults])]),
        },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      if (request.isMultipart()) {
        const results = await takeForm(request, request.query, (stream, fields) =>
          take(request, space, stream, fields),
        );
        return answerForm(reply, results);
      }
      const { body } = request;
      if (!isByteStream(body)) throw new CairnError("image.empty");
      const declaredBytes = Number(request.headers["content-length"] ?? 0);
      if (declaredBytes > MAX_IMAGE_BYTES) throw new CairnError("image.too_large", { sizeBytes: declaredBytes });
      const receipt = await take(request, space, readingBody(body), request.query);
      return reply.code(receipt.known ? 200 : 201).send(receipt);
    },
  );

  const Listing = Type.Object({ images: Type.Array(ImageShape) });
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/images",
    { schema: { operationId: "listImages", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      // Borrowed state: text before anything else can run.
      const text = JSON.stringify({ images: Object.values(space.log.snapshot().state.images) });
      return reply.type("application/json; charset=utf-8").send(text);
    },
  );

  async function imageOf(params: ImageParams): Promise<ImageState> {
    const space = await core.spaces.open(params.space);
    const { images } = space.log.snapshot().state;
    const image = Object.hasOwn(images, params.image) ? images[params.image] : undefined;
    if (!image) throw new CairnError("image.missing", { image: params.image.slice(0, 64) });
    return image;
  }

  app.get<{ Params: ImageParams }>(
    "/v1/spaces/:space/images/:image",
    { schema: { operationId: "getImage", params: ImageParams, response: { 200: ImageShape, ...refusals } } },
    async (request) => imageOf(request.params),
  );

  app.get<{ Params: ImageParams; Querystring: { side: number } }>(
    "/v1/spaces/:space/images/:image/thumbnail",
    {
      schema: {
        operationId: "getThumbnail",
        description:
          "A JPEG, upright, without metadata; at least `side` pixels on the long side where the photo has them.",
        params: ImageParams,
        querystring: Type.Object({ side: Type.Integer({ minimum: 16, maximum: 2048, default: 256 }) }),
        response: fileAnswer("image/jpeg"),
      },
    },
    async (request, reply) => {
      const { blob } = await imageOf(request.params);
      const etag = `"${blob.slice(0, 32)}-${request.query.side}"`;
      reply.header("etag", etag).header("cache-control", "private, max-age=31536000, immutable");
      if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply.type("image/jpeg").send(await thumbnail(blob, request.query.side));
    },
  );
}

/** Aborts when the sender goes away before its request was whole. */
function senderGone({ raw }: FastifyRequest): AbortSignal {
  const gone = new AbortController();
  raw.once("close", () => {
    if (!raw.complete) gone.abort(new CairnError("request.invalid", { problem: "the sender went away" }));
  });
  return gone.signal;
}

function isByteStream(body: unknown): body is AsyncIterable<Uint8Array> {
  return body !== null && typeof body === "object" && Symbol.asyncIterator in body;
}
