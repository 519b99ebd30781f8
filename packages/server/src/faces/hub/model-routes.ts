/** `GET /api/ply/{name}`: points of a space that the hub recorded, or a cloud that an outside service sent (HUB-92). */
import { Readable } from "node:stream";
import { EXPORT_FORMATS, exportName } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import { exportSources, readerOf } from "../../routes/exports.ts";
import { Refusal } from "../refusal.ts";
import { HUB_LABEL, type HubHouse } from "./house.ts";

const MISSING = "PLY file not found";

export function modelRoutes(app: FastifyInstance, { context, plyFiles }: HubHouse): void {
  const { core } = context;
  app.get<{ Params: { name: string } }>("/api/ply/:name", async ({ params: { name } }, reply) => {
    reply.header("cache-control", "no-store").type("application/octet-stream");
    const sent = plyFiles.get(name);
    if (sent) return reply.send(sent);
    const recorded = (await core.spaces.list()).find(
      ({ id, labels }) => labels?.[HUB_LABEL] === true && exportName(id, "ply") === name,
    );
    if (!recorded) throw new Refusal(404, MISSING);
    const reader = readerOf(reply);
    const space = await core.spaces.open(recorded.id);
    context.openExports.begin(space.id, reader);
    const signal = AbortSignal.any([reader, space.signal]);
    const onSize = (sizeBytes: number) => reply.header("content-length", sizeBytes);
    const pieces = EXPORT_FORMATS.ply.write({ ...exportSources(context, space), signal, onSize });
    // What cannot be written says so before its first piece: the answer is then an error.
    const first = await pieces.next().catch((error: unknown) => {
      throw error instanceof CairnError && error.code === "export.empty" ? new Refusal(404, MISSING) : error;
    });
    return reply.send(Readable.from(whole(first, pieces), { objectMode: false }));
  });
}

async function* whole(first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>) {
  if (!first.done) yield first.value;
  yield* rest;
}
