/**
 * Where time goes, for OpenTelemetry (GEN-13): a span for each HTTP request, for each photo from its receipt to its verdict,
 * for each operation, and for each message to the bus. Only opened when an endpoint is configured: otherwise the library
 * that sends them is not even loaded. The usual variables hold: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` …
 */
import { runCursor, type Space } from "@cairn/core";
import type { CairnEvent, ImageReceipt } from "@cairn/protocol";
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { FastifyInstance } from "fastify";

/** Spans that wait for their end; the oldest are given up beyond this, so that lost ends cost no memory. */
const MAX_OPEN = 10_000;

export type PublishSpan = {
  /** What goes along with the message: `traceparent`. */
  readonly headers: Readonly<Record<string, string>>;
  end(problem?: string): void;
};

export class Tracing {
  readonly #tracer: Tracer;
  readonly #shutdown: () => Promise<void>;
  /** Photos that have no verdict, by image. */
  readonly #uploads = new OpenSpans();
  readonly #operations = new OpenSpans();
  readonly #stop = new AbortController();
  readonly #onError: (error: unknown) => void;

  constructor(tracer: Tracer, shutdown: () => Promise<void>, onError: (error: unknown) => void) {
    this.#tracer = tracer;
    this.#shutdown = shutdown;
    this.#onError = onError;
  }

  /** Spans of a listener's requests. What a device says of its own trace in `traceparent` goes on here. */
  traceRequests(app: FastifyInstance): void {
    const contexts = new WeakMap<object, Context>();
    app.addHook("onRequest", (request, _reply, done) => {
      const parent = propagation.extract(context.active(), request.headers);
      const route = request.is404 ? "unknown" : (request.routeOptions.url ?? "unknown");
      const attributes = { "http.request.method": request.method, "http.route": route };
      const span = this.#tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
      contexts.set(request.raw, trace.setSpan(parent, span));
      done();
    });
    // The body was read from the socket's own context, so the request's is entered here.
    app.addHook("preHandler", (request, _reply, done) => {
      context.with(contexts.get(request.raw) ?? context.active(), done);
    });
    app.addHook("onResponse", async (request, reply) => {
      const own = contexts.get(request.raw);
      const span = own && trace.getSpan(own);
      span?.setAttribute("http.response.status_code", reply.statusCode);
      if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
      span?.end();
    });
  }

  /** A photo is on disk: its span goes on until its verdict, under the request that brought it. */
  ingested(space: Space, { image, seq }: ImageReceipt): void {
    const attributes = { "cairn.space": space.id, "cairn.image": image, "cairn.seq": seq };
    const span = this.#tracer.startSpan("upload", { attributes }, context.active());
    // A copy is judged in the append that added it, before anyone can be told here.
    const verdict = space.log.snapshot().state.images[image]?.verdict;
    if (verdict) endUpload(span, verdict.verdict);
    else this.#uploads.open(image, span);
  }

  /** Follows what happens in a space from now on. */
  watch(space: Space): void {
    const signal = AbortSignal.any([this.#stop.signal, space.signal]);
    const deliver = (item: { kind: "events"; events: CairnEvent[] } | { kind: "snapshot" }) => {
      if (item.kind === "events") for (const event of item.events) this.#heard(space, event);
    };
    runCursor({ log: space.log, after: space.log.head, epoch: space.log.epoch, signal, deliver }).catch(this.#onError);
  }

  /** A message is about to go to the bus; ends when the broker has confirmed it. */
  publishing(exchange: string): PublishSpan {
    const attributes = { "messaging.system": "rabbitmq", "messaging.destination.name": exchange };
    const span = this.#tracer.startSpan(`publish ${exchange}`, { kind: SpanKind.PRODUCER, attributes });
    const headers: Record<string, string> = {};
    propagation.inject(trace.setSpan(context.active(), span), headers);
    return {
      headers,
      end(problem) {
        if (problem !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: problem });
        span.end();
      },
    };
  }

  /** Sends what is left, for at most two seconds. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#uploads.endAll();
    this.#operations.endAll();
    await Promise.race([
      this.#shutdown().catch(this.#onError),
      new Promise((resolve) => setTimeout(resolve, 2000).unref()),
    ]);
  }

  #heard(space: Space, event: CairnEvent): void {
    switch (event.type) {
      case "camera.posed":
        this.#uploads.get(event.data.image)?.addEvent("posed");
        return;
      case "image.judged": {
        const span = this.#uploads.take(event.data.image);
        if (span) endUpload(span, event.data.verdict);
        return;
      }
      case "operation.started": {
        const { operation, kind } = event.data;
        const attributes = { "cairn.space": space.id, "cairn.operation": operation };
        this.#operations.open(operation, this.#tracer.startSpan(kind, { attributes }));
        return;
      }
      case "operation.progressed":
        this.#operations.get(event.data.operation)?.addEvent(event.data.stage);
        return;
      case "operation.completed":
      case "operation.cancelled":
      case "operation.failed": {
        const span = this.#operations.take(event.data.operation);
        if (event.type === "operation.failed") {
          span?.setStatus({ code: SpanStatusCode.ERROR, message: event.data.code });
        }
        span?.setAttribute("cairn.outcome", event.type.slice("operation.".length));
        span?.end();
        return;
      }
      default:
    }
  }
}

function endUpload(span: Span, verdict: string): void {
  span.setAttribute("cairn.verdict", verdict);
  span.end();
}

class OpenSpans {
  readonly #spans = new Map<string, Span>();

  open(id: string, span: Span): void {
    this.#spans.set(id, span);
    if (this.#spans.size <= MAX_OPEN) return;
    for (const [oldest, given] of this.#spans) {
      given.end();
      this.#spans.delete(oldest);
      return;
    }
  }

  get(id: string): Span | undefined {
    return this.#spans.get(id);
  }

  take(id: string): Span | undefined {
    const span = this.#spans.get(id);
    this.#spans.delete(id);
    return span;
  }

  endAll(): void {
    for (const span of this.#spans.values()) span.end();
    this.#spans.clear();
  }
}

/** Undefined when no endpoint is configured: then nothing of it is loaded. */
export async function openTracing(
  version: string,
  onError: (error: unknown) => void,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = environment;
  if (!endpoint && !traces) return undefined;
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }] = await Promise.all([
    import("@opentelemetry/sdk-trace-node"),
    import("@opentelemetry/exporter-trace-otlp-http"),
  ]);
  const { resourceFromAttributes } = await import("@opentelemetry/resources");
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      "service.name": environment.OTEL_SERVICE_NAME || "cairn",
      "service.version": version,
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  // Global for the context and the headers that carry a trace; the tracer itself is handed on.
  provider.register();
  return new Tracing(provider.getTracer("cairn", version), () => provider.shutdown(), onError);
}
