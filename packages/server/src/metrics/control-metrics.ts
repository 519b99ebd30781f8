/** Figures of steering, over all spaces: what became of which command is in the log of its space (docs/spec/control.md). */
import type { Controls } from "@cairn/core";
import { Histogram, type Registry } from "prom-client";
import { readOff } from "./read-off.ts";
import { LATENCY_SECONDS } from "./video-metrics.ts";

export function controlMetrics(registry: Registry, controls: Pick<Controls, "totals" | "now">): void {
  const { gauge, counter, counters } = readOff(registry);
  const { totals } = controls;
  gauge("cairn_control_devices", "Devices that are connected and take commands.", () => controls.now().devices);
  gauge("cairn_control_leases", "Devices that somebody holds.", () => controls.now().leases);
  gauge("cairn_control_stopped_devices", "Devices that were stopped and not cleared.", () => controls.now().stopped);
  counter(
    "cairn_control_commands_sent_total",
    "Commands under a lease that were noted down to be sent on.",
    () => totals.sent,
  );
  counters(
    "cairn_control_commands_total",
    "What became of them; one that was accepted counts there and again where it ends.",
    "outcome",
    () => totals.outcomes,
  );
  counter(
    "cairn_control_commands_relayed_total",
    "Commands of older clients, without a lease, that went on.",
    () => totals.relayed,
  );
  counter("cairn_control_refused_total", "Whatever was asked for and not done.", () => totals.refused);
  counter("cairn_control_stops_total", "Emergency stops, one for each device.", () => totals.stops);
  const latency = new Histogram({
    name: "cairn_control_latency_seconds",
    help: "From when a command came until the device said its first word on it.",
    buckets: LATENCY_SECONDS,
    registers: [registry],
  });
  totals.onAnswer = (tookMs) => latency.observe(tookMs / 1000);
}
