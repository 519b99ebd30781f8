/** Long operations. Rules IMG-42 to IMG-52, IMG-61, IMG-62. */
import type { BulkEdit } from "@cairn/core";
import { CairnError, type Id } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { readFields } from "../fields.ts";
import { Refusal } from "../refusal.ts";
import { readCompression, readResize, readRotation } from "./compression.ts";
import { clientId, findSession, type ImagetoolsHouse, openSession, rememberingSpaces, withoutNulls } from "./house.ts";
import type { Session } from "./session.ts";
import type { OperationRecord } from "./session-log.ts";
import { API } from "./shapes.ts";

const OPERATIONS = {
  bulk_compress: readCompression,
  bulk_rotate: readRotation,
  bulk_resize: readResize,
  bulk_delete: (): BulkEdit => ({ name: "remove" }),
} as const satisfies Record<string, (params: unknown) => BulkEdit>;

const Images = { session_id: Type.String(), image_ids: Type.Optional(Type.Array(Type.String(), { maxItems: 10_000 })) };
const Bulk = Type.Object(Images);
const NewOperation = Type.Object({
  ...Images,
  operation_type: Type.Union([
    Type.Literal("bulk_compress"),
    Type.Literal("bulk_rotate"),
    Type.Literal("bulk_resize"),
    Type.Literal("bulk_delete"),
  ]),
  params: Type.Optional(Type.Object({}, { additionalProperties: true })),
});

/** `params` may be left out (IMG-42). */
const USUAL_COMPRESSION = { preset: "web" };

type Named = { Params: { operation: string } };

export function operationRoutes(app: FastifyInstance, house: ImagetoolsHouse): void {
  async function start(
    request: FastifyRequest,
    wanted: { session_id: string; image_ids?: string[] },
    type: keyof typeof OPERATIONS,
    params: unknown,
  ) {
    const session = await openSession(house, wanted.session_id);
    const { images } = session.space.log.snapshot().state;
    const ids = [...new Set(wanted.image_ids ?? Object.keys(images))];
    if (ids.length === 0) throw new Refusal(400, "No images");
    if (!ids.every((id) => Object.hasOwn(images, id))) throw new Refusal(404, "Image not found");
    const edit = OPERATIONS[type](withoutNulls(params));
    const contributor = clientId(request.headers["x-client-id"]);
    const by = contributor === undefined ? {} : { contributor };
    const { operation } = await house.context.edits.start(session.space, ids, edit, by);
    return {
      operation_id: operation,
      operation_type: type,
      session_id: session.space.id,
      status: "pending",
      progress: 0,
      current: 0,
      total: ids.length,
    };
  }

  app.post(`${API}/operations`, async (request, reply) => {
    const fields = readFields(NewOperation, withoutNulls(request.body), "body");
    const params = fields.params ?? (fields.operation_type === "bulk_compress" ? USUAL_COMPRESSION : undefined);
    return reply.code(202).send(await start(request, fields, fields.operation_type, params));
  });

  app.post(`${API}/compression/bulk`, async (request, reply) => {
    const fields = readFields(Bulk, withoutNulls(request.body), "body");
    return reply.code(202).send(await start(request, fields, "bulk_compress", request.body));
  });

  app.get<Named>(`${API}/operations/:operation`, async ({ params }) => (await find(house, params.operation)).record);

  app.get<{ Querystring: Record<string, unknown> }>(`${API}/operations`, async ({ query }) => {
    const { session_id } = readFields(Type.Object({ session_id: Type.String() }), query, "query");
    const session = await findSession(house, session_id);
    return session ? session.log.operations.reverse() : [];
  });

  const cancel = async ({ params }: FastifyRequest<Named>): Promise<OperationRecord> => {
    const { session, record } = await find(house, params.operation);
    try {
      await session.space.operations.cancel(record.operation_id);
    } catch (error) {
      if (error instanceof CairnError && error.code === "operation.finished") throw finished();
      throw error;
    }
    await session.upTo(session.space.log.head);
    // It may have come to its end by itself in the meantime.
    if (record.status !== "cancelled") throw finished();
    return record;
  };
  app.delete<Named>(`${API}/operations/:operation`, cancel);
  app.post<Named>(`${API}/operations/:operation/cancel`, cancel);
}

function finished(): Refusal {
  return new Refusal(409, "Operation already finished");
}

/** @throws {Refusal} 404 */
async function find(house: ImagetoolsHouse, id: Id): Promise<{ session: Session; record: OperationRecord }> {
  for (const space of rememberingSpaces(house, id)) {
    const session = await findSession(house, space.id);
    const record = session?.log.operation(id);
    if (session && record) return { session, record };
  }
  throw new Refusal(404, "Operation not found");
}
