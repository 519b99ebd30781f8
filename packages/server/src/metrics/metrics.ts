/**
 * What the server counts, as Prometheus reads it (GEN-12). Label values come from closed sets: a client can make a
 * figure grow, never the number of figures.
 */
import { CLOSE } from "@cairn/protocol";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { FaceName } from "../faces/face.ts";

export type Door = FaceName | "live";
export type Direction = "in" | "out";

/** Codes of ours and of the protocol; any other is `other`. */
const CODES = new Set<number>([...Object.values(CLOSE), 1002, 1003, 1005, 1006, 1007, 1010]);
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * How often the event loop's delay is looked at, ms; the figures of it include this. Every 10 ms, as by default, an idle
 * server would wake a hundred times a second for nothing else: a thirtieth of what it costs to serve a thousand viewers.
 */
const LOOP_MS = 100;

/** Figures that are read off when somebody asks. */
export type Readings = {
  connections(): Readonly<Record<Door, number>>;
  /** Length of each queue, by its name. */
  queues(): Promise<Readonly<Record<string, number>>>;
};

export class Metrics {
  readonly registry = new Registry();
  readonly #opened: Counter<"face">;
  readonly #closed: Counter<"face" | "code">;
  /** Counted in plain numbers: one for every message is a price that shows. */
  readonly #messages = new Map<Door, Record<Direction, number>>();
  readonly #bytes: Counter<"face" | "direction">;
  readonly #errors: Counter<"face" | "reason">;
  readonly #requests: Counter<"route" | "method" | "status">;
  readonly #durations: Histogram<"route" | "method" | "status">;

  constructor({ connections, queues }: Readings) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LOOP_MS });
    const face = ["face"] as const;
    new Gauge({
      name: "cairn_ws_connections",
      help: "Open sockets.",
      labelNames: face,
      registers,
      collect() {
        for (const [door, count] of Object.entries(connections())) this.set({ face: door }, count);
      },
    });
    new Gauge({
      name: "cairn_queue_depth",
      help: "What waits in a queue.",
      labelNames: ["queue"],
      registers,
      async collect() {
        for (const [queue, length] of Object.entries(await queues())) this.set({ queue }, length);
      },
    });
    const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Counter({ name, help, labelNames: [...labelNames], registers });
    this.#opened = counter("cairn_ws_opened_total", "Sockets that were opened.", face);
    this.#closed = counter("cairn_ws_closed_total", "Sockets that ended, by close code.", ["face", "code"]);
    const messages = this.#messages;
    new Counter({
      name: "cairn_ws_messages_total",
      help: "Messages on sockets.",
      labelNames: ["face", "direction"],
      registers,
      collect() {
        this.reset();
        for (const [door, counts] of messages) {
          for (const direction of ["in", "out"] as const) {
            if (counts[direction] > 0) this.inc({ face: door, direction }, counts[direction]);
          }
        }
      },
    });
    this.#bytes = counter("cairn_ws_bytes_total", "Bytes on sockets, as on the wire.", ["face", "direction"]);
    this.#errors = counter("cairn_ws_errors_total", "Errors told on sockets.", ["face", "reason"]);
    const labelNames = ["route", "method", "status"] as const;
    this.#requests = counter("cairn_http_requests_total", "HTTP requests that were answered.", labelNames);
    this.#durations = new Histogram({
      name: "cairn_http_request_duration_seconds",
      help: "Time from a request's headers to the end of its answer.",
      labelNames,
      buckets: SECONDS,
      registers,
    });
  }

  opened(face: Door): void {
    this.#opened.inc({ face });
  }

  closed(face: Door, code: number): void {
    this.#closed.inc({ face, code: CODES.has(code) ? String(code) : "other" });
  }

  messages(face: Door, direction: Direction, count = 1): void {
    const counts = this.#messages.get(face);
    if (counts) counts[direction] += count;
    else this.#messages.set(face, { in: 0, out: 0, [direction]: count });
  }

  bytes(face: Door, direction: Direction, count: number): void {
    this.#bytes.inc({ face, direction }, count);
  }

  /** @param reason from a closed set */
  error(face: Door, reason: string): void {
    this.#errors.inc({ face, reason });
  }

  /** @param route the pattern of the path, `unknown` where there is none */
  request(route: string, method: string, status: number, seconds: number): void {
    const labels = { route, method: METHODS.has(method) ? method : "other", status: String(status) };
    this.#requests.inc(labels);
    this.#durations.observe(labels, seconds);
  }
}
