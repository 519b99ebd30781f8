import { RECORDING_LIMITS } from "@cairn/core";
import {
  CairnError,
  EVENTS,
  type Id,
  RecordingEnd,
  type RecordingFormat,
  type RecordingState,
  TimeNs,
} from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import { disposition } from "../http/disposition.ts";
import { fileAnswer, refusals, SpaceParams } from "../http/schemas.ts";
import { sendBlob } from "../http/send-blob.ts";

const { most, usual } = RECORDING_LIMITS;
const started = EVENTS["recording.started"].properties;

const Wish = Type.Object({
  name: Type.Optional(started.name),
  channels: Type.Optional({ ...started.channels, description: "As in docs/spec/recordings.md; left out: everything." }),
  formats: Type.Optional({ ...started.formats, description: "Left out: both." }),
  maxBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: most.maxBytes, default: usual.maxBytes })),
  maxDurationMs: Type.Optional(Type.Integer({ minimum: 1, maximum: most.maxDurationMs, default: usual.maxDurationMs })),
  idleMs: Type.Optional(Type.Integer({ minimum: 1, maximum: most.idleMs, default: usual.idleMs })),
});
const RecordingShape = Type.Object({
  ...started,
  startedNs: TimeNs,
  ended: Type.Optional(Type.Omit(EVENTS["recording.ended"], ["recording"])),
  progress: Type.Optional(
    Type.Object(
      {
        sizeBytes: Type.Integer(),
        waitingBytes: Type.Integer({ description: "Of these, what the disk has not taken yet." }),
        pictures: Type.Integer(),
        messages: Type.Integer(),
        lost: Type.Integer(),
        ending: Type.Optional(RecordingEnd),
      },
      { description: "While it has not ended; `ending`: no more is taken, its files are being made whole." },
    ),
  ),
});
const Listing = Type.Object({ recordings: Type.Array(RecordingShape) });
const RecordingParams = Type.Object({ space: Type.String(), recording: Type.String() });
type RecordingParams = Static<typeof RecordingParams>;
const FileParams = Type.Object({ ...RecordingParams.properties, file: Type.String() });

const MEDIA_TYPES: Record<RecordingFormat, string> = { mp4: "video/mp4", mcap: "application/octet-stream" };

/** What comes live, written down. Rules RCD-1 to RCD-11. */
export function recordingRoutes(app: FastifyInstance, { core, access }: Pick<ServerContext, "core" | "access">): void {
  const shape = (state: RecordingState) => {
    const progress = state.ended ? undefined : core.recordings.progress(state.recording);
    return { ...state, ...(progress && { progress }) };
  };

  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/recordings",
    { schema: { operationId: "listRecordings", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request) => {
      const { state } = (await core.spaces.open(request.params.space)).log.snapshot();
      return { recordings: Object.values(state.recordings ?? {}).map(shape) };
    },
  );

  app.post<{ Params: SpaceParams; Body: Static<typeof Wish> }>(
    "/v1/spaces/:space/recordings",
    {
      config: { role: "operate" },
      schema: {
        operationId: "startRecording",
        params: SpaceParams,
        body: Wish,
        response: { 201: RecordingShape, ...refusals },
      },
    },
    async (request, reply) => {
      const space = await core.spaces.open(request.params.space);
      // What belongs to no space is for those who may be everywhere.
      const strays = request.pass !== null && request.pass.spaces === undefined;
      return reply.code(201).send(shape(await core.recordings.start(space, request.body, { strays })));
    },
  );

  app.get<{ Params: RecordingParams }>(
    "/v1/spaces/:space/recordings/:recording",
    {
      schema: { operationId: "getRecording", params: RecordingParams, response: { 200: RecordingShape, ...refusals } },
    },
    async ({ params }) => shape(core.recordings.find(await core.spaces.open(params.space), params.recording)),
  );

  app.post<{ Params: RecordingParams }>(
    "/v1/spaces/:space/recordings/:recording/stop",
    {
      config: { role: "operate" },
      schema: {
        operationId: "stopRecording",
        description: "Answers when its files can be had. One that has ended stays as it is.",
        params: RecordingParams,
        response: { 200: RecordingShape, ...refusals },
      },
    },
    async ({ params }) => shape(await core.recordings.stop(await core.spaces.open(params.space), params.recording)),
  );

  app.delete<{ Params: RecordingParams }>(
    "/v1/spaces/:space/recordings/:recording",
    {
      config: { role: "operate" },
      schema: { operationId: "removeRecording", params: RecordingParams, response: { 204: Type.Null(), ...refusals } },
    },
    async ({ params }, reply) => {
      await core.recordings.remove(await core.spaces.open(params.space), params.recording);
      return reply.code(204).send();
    },
  );

  app.get<{ Params: Static<typeof FileParams> }>(
    "/v1/spaces/:space/recordings/:recording/files/:file",
    {
      schema: {
        operationId: "getRecordingFile",
        description: "A file of a recording that has ended, whole or one range of it.",
        params: FileParams,
        response: fileAnswer("video/mp4", "application/octet-stream"),
      },
    },
    async (request, reply) => {
      const { params } = request;
      const file = await find(params.space, params.recording, params.file);
      reply.header("content-security-policy", "default-src 'none'; media-src 'self'; sandbox");
      reply.header("content-disposition", disposition(file.format === "mp4" ? "inline" : "attachment", file.name));
      return sendBlob(request, reply, {
        blobs: core.blobs,
        digest: file.blob,
        mediaType: MEDIA_TYPES[file.format],
        cacheControl: `${access.tokenRequired ? "private" : "public"}, max-age=31536000, immutable`,
      });
    },
  );

  async function find(id: string, recording: Id, name: string) {
    const { ended } = core.recordings.find(await core.spaces.open(id), recording);
    if (!ended) throw new CairnError("recording.running");
    const file = ended.files.find((each) => each.name === name);
    if (!file) throw new CairnError("recording.missing");
    return file;
  }
}
