/** Figures of steering, over all spaces: what became of which command is in the log of its space (docs/spec/control.md). */
import type { Controls } from "@cairn/core";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { LATENCY_SECONDS } from "./video-metrics.ts";

/** Read off whenever somebody asks for the metrics. */
export function controlMetrics(registry: Registry, controls: Pick<Controls, "totals" | "now">): void {
  const registers = [registry];
  const { totals } = controls;
  const gauge = (name: string, help: string, of: "devices" | "leases" | "stopped") =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(controls.now()[of]);
      },
    });
  const counter = (name: string, help: string, of: "sent" | "relayed" | "refused" | "stops") =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(totals[of]);
      },
    });
  gauge("cairn_control_devices", "Devices that are connected and take commands.", "devices");
  gauge("cairn_control_leases", "Devices that somebody holds.", "leases");
  gauge("cairn_control_stopped_devices", "Devices that were stopped and not cleared.", "stopped");
  counter("cairn_control_commands_sent_total", "Commands under a lease that were noted down to be sent on.", "sent");
  new Counter({
    name: "cairn_control_commands_total",
    help: "What became of them; one that was accepted counts there and again where it ends.",
    labelNames: ["outcome"],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(totals.outcomes)) this.inc({ outcome }, count);
    },
  });
  counter(
    "cairn_control_commands_relayed_total",
    "Commands of older clients, without a lease, that went on.",
    "relayed",
  );
  counter("cairn_control_refused_total", "Whatever was asked for and not done.", "refused");
  counter("cairn_control_stops_total", "Emergency stops, one for each device.", "stops");
  const latency = new Histogram({
    name: "cairn_control_latency_seconds",
    help: "From when a command came until the device said its first word on it.",
    buckets: LATENCY_SECONDS,
    registers,
  });
  totals.onAnswer = (tookMs) => latency.observe(tookMs / 1000);
}
