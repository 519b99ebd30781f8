/** The live socket as an AsyncAPI 3 document, made from the schemas that check the messages themselves. */
import { ClientMessage, EVENTS, ImageHead, LIVE_VERSION } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";

type Json = Record<string, unknown>;

const text = { contentType: "application/json" };
const seq = { type: "integer", minimum: 0 };
const string = { type: "string" };

const SERVER_MESSAGES: Record<string, Json> = {
  welcome: object({
    version: { type: "integer" },
    space: string,
    epoch: string,
    seq,
    recovered: { type: "boolean" },
    pushBytes: { type: "integer" },
    peer: string,
  }),
  snapshot: object({ epoch: string, seq, state: { type: "object" } }),
  events: object({ events: { type: "array", items: { $ref: "#/components/schemas/event" } } }),
  signal: object({ channel: string, from: string, data: {} }),
  answer: object({ id: string, result: { type: "object" } }),
  error: object(
    { error: object({ code: string, detail: string, retry: { type: "boolean" }, facts: { type: "object" } }) },
    { id: string, ref: string },
  ),
  pong: object({}),
  "control.command": object({
    device: string,
    lease: seq,
    command: seq,
    kind: string,
    data: { type: "object" },
    expiresNs: string,
    remainingMs: seq,
  }),
  "control.order": object({
    device: string,
    order: seq,
    what: { enum: ["safe", "stop"] },
    kind: string,
    data: { type: "object" },
  }),
  "control.replaced": object({ device: string }),
};

/** docs/spec/video-live.md. */
const VIDEO_MESSAGES: Json = {
  packet: {
    name: "packet",
    contentType: "application/octet-stream",
    summary:
      "Binary: u8 version 1, u8 flags, u16 0, u32 LE number, u64 LE nanoseconds, u32 LE data size, H.264 with start codes.",
    payload: { type: "string", format: "binary" },
  },
  video: {
    name: "video",
    ...text,
    payload: object(
      { type: { const: "video" }, source: string },
      { codec: string, width: { type: "integer" }, height: { type: "integer" } },
    ),
  },
  welcome: { name: "welcome", ...text, payload: object({ type: { const: "welcome" }, source: string }) },
  error: { name: "error", ...text, payload: object({ type: { const: "error" }, error: { type: "object" } }) },
};

const VIDEO_QUERY = {
  type: "object",
  properties: {
    role: { enum: ["consume", "produce"], default: "consume" },
    layout: { enum: ["native", "hub", "h264"], default: "native" },
    gop: { enum: ["0", "1"], default: "1", description: "Begin with the current group of pictures." },
    space: { ...string, description: "Producers: where pictures are recorded and reconstructed." },
  },
};

export function asyncapi(version: string): Json {
  const client = ClientMessage.anyOf as readonly { properties: { type: { const: string } } }[];
  const fromClient = Object.fromEntries(client.map((schema) => [schema.properties.type.const, schema]));
  const message = (name: string, payload: object): Json => ({ name, ...text, payload });
  const toServer: Json = {
    ...Object.fromEntries(
      Object.entries(fromClient).map(([name, schema]) => [`client.${name}`, message(name, schema)]),
    ),
    "client.image": {
      name: "image",
      contentType: "application/octet-stream",
      summary: "Binary: 1, u32 LE length of the head, head as JSON, the photo.",
      payload: ImageHead,
    },
    "client.have": {
      name: "have",
      contentType: "application/octet-stream",
      summary: "Binary: 4, u32 LE layer, then i8 e, u32 LE x, y, z and points for each node.",
      payload: { type: "string", format: "binary" },
    },
  };
  const toClient: Json = {
    ...Object.fromEntries(
      Object.entries(SERVER_MESSAGES).map(([name, { properties, ...rest }]) => [
        `server.${name}`,
        message(name, { ...rest, properties: { type: { const: name }, ...(properties as Json) } }),
      ]),
    ),
    "server.range": {
      name: "range",
      contentType: "application/octet-stream",
      summary: "Binary: 3, the first 8 bytes of a blob's SHA-256, u32 LE start, the blob's bytes from there on.",
      payload: { type: "string", format: "binary" },
    },
  };
  const references = (messages: Json, channel = "live") =>
    Object.keys(messages).map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` }));
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Cairn live socket",
      version,
      description: `Protocol version ${LIVE_VERSION}. The first message is \`hello\`; unknown fields are ignored.`,
    },
    channels: {
      live: {
        address: "/v1/spaces/{space}/live",
        parameters: { space: { description: "Id of the space, percent-encoded." } },
        messages: { ...toServer, ...toClient },
        bindings: { ws: { method: "GET" } },
      },
      video: {
        address: "/v1/video/{source}",
        parameters: { source: { description: "1 to 64 letters, digits, dots, underscores, hyphens." } },
        messages: VIDEO_MESSAGES,
        bindings: { ws: { method: "GET", query: VIDEO_QUERY } },
      },
    },
    operations: {
      receive: { action: "receive", channel: { $ref: "#/channels/live" }, messages: references(toServer) },
      send: { action: "send", channel: { $ref: "#/channels/live" }, messages: references(toClient) },
      produceVideo: {
        action: "receive",
        channel: { $ref: "#/channels/video" },
        messages: references({ packet: 0 }, "video"),
      },
      consumeVideo: {
        action: "send",
        channel: { $ref: "#/channels/video" },
        messages: references(VIDEO_MESSAGES, "video"),
      },
    },
    components: { schemas: { event: eventSchema() } },
  };
}

export function asyncapiRoute(app: FastifyInstance, version: string): void {
  const document = asyncapi(version);
  app.get("/asyncapi.json", { config: { place: "any" }, schema: { hide: true } as object }, async () => document);
}

function eventSchema(): Json {
  const one = ([type, data]: [string, object]) =>
    object({ seq, timeNs: string, type: { const: type }, data }, { cause: seq });
  return { oneOf: Object.entries(EVENTS).map(one) };
}

function object(required: Json, optional: Json = {}): Json {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}
