/** The same events with the same seqs as Server-Sent Events, for those who have no WebSocket. */
import type { ServerResponse } from "node:http";
import { type CursorItem, runCursor } from "@cairn/core";
import type { FastifyInstance } from "fastify";
import { LIVE_LIMITS, type LiveContext } from "./live-context.ts";
import { canResume } from "./resume.ts";

const BATCH = 256;

/** `GET /v1/spaces/{id}/events/stream?after=&epoch=`; a browser that reconnects sends `Last-Event-ID` by itself. */
export function eventStreamRoutes(app: FastifyInstance, context: LiveContext): void {
  const limits = { ...LIVE_LIMITS, ...context.limits };
  const stopping = new AbortController();
  // Streams never end by themselves: without this, closing would wait for them.
  app.addHook("preClose", async () => stopping.abort());
  app.get<{ Params: { space: string }; Querystring: { after?: string; epoch?: string } }>(
    "/v1/spaces/:space/events/stream",
    { schema: { hide: true } as object },
    async (request, reply) => {
      const space = await context.core.spaces.open(request.params.space);
      const { log } = space;
      const place = placeOf(request.headers["last-event-id"], request.query);
      const ended = new AbortController();
      // Not the space's own signal: it aborts before the last event, which says why.
      const signal = AbortSignal.any([ended.signal, stopping.signal]);
      reply.hijack();
      const out = reply.raw;
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) out.setHeader(name, value);
      out.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      // Without a body that is written Node sends no headers before the end, and a stream has none.
      if (request.method === "HEAD") return void out.end();
      out.on("close", () => ended.abort());
      const heartbeat = setInterval(() => {
        if (out.writableLength === 0) out.write(": alive\n\n");
      }, limits.pingEveryMs);
      try {
        out.write("retry: 1000\n\n");
        await runCursor({
          log,
          signal,
          batch: BATCH,
          deliver: (item) => write(out, textOf(item, log.epoch), signal, limits.slowMs),
          ...(canResume(log, place.after, place.epoch) ? { after: place.after, epoch: log.epoch } : {}),
        });
      } catch (error) {
        if (!signal.aborted) context.log.error({ space: space.id, cause: error }, "an event stream failed");
      } finally {
        clearInterval(heartbeat);
        out.end();
      }
    },
  );
}

/** `epoch:seq` from a browser that comes back, else what the query says; with neither, from the first event on. */
function placeOf(
  lastEventId: string | string[] | undefined,
  query: { after?: string; epoch?: string },
): { after: number | undefined; epoch: string | undefined } {
  const [, epoch, seq] = /^(.*):(\d{1,15})$/.exec(String(lastEventId ?? "")) ?? [];
  if (seq !== undefined) return { after: Number(seq), epoch };
  return { after: /^\d{1,15}$/.test(query.after ?? "0") ? Number(query.after ?? 0) : undefined, epoch: query.epoch };
}

function textOf(item: CursorItem, epoch: string): string {
  if (item.kind === "events") {
    return item.events.map((event) => `id: ${epoch}:${event.seq}\ndata: ${JSON.stringify(event)}\n\n`).join("");
  }
  const { seq, state } = item;
  return `id: ${epoch}:${seq}\nevent: snapshot\ndata: ${JSON.stringify({ epoch, seq, state })}\n\n`;
}

/** Resolves when the reader has room again; one that takes nothing for `slowMs` is cut off and comes back by itself. */
async function write(out: ServerResponse, text: string, signal: AbortSignal, slowMs: number): Promise<void> {
  if (out.write(text) || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const slow = setTimeout(() => out.destroy(), slowMs);
    const done = () => {
      clearTimeout(slow);
      out.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    out.on("drain", done);
    signal.addEventListener("abort", done, { once: true });
  });
}
