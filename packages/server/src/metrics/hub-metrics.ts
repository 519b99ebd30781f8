/** Figures of the hub beside video's: motion sensors, the clock, the bus, who is connected (HUB-97). */
import type { BusStats } from "@cairn/bus";
import type { MotionSources, ServerClock } from "@cairn/core";
import type { Registry } from "prom-client";
import { readOff } from "./read-off.ts";

export type HubReadings = {
  readonly motion: Pick<MotionSources, "counts">;
  readonly clock: Pick<ServerClock, "status">;
  readonly devices: { count(kind: "phone" | "video"): number };
  readonly viewers: { readonly count: number };
  /** Left out: there is none. */
  readonly bus?: { readonly stats: BusStats } | undefined;
};

export function countHub(registry: Registry, { motion, clock, devices, viewers, bus }: HubReadings): void {
  const { gauge, counter, counters } = readOff(registry);
  counter("imu_samples_total", "Samples of motion sensors that were taken.", () => motion.counts().samples);
  counter("imu_duplicates_total", "Samples that had come before.", () => motion.counts().duplicates);
  counter("imu_late_total", "Samples older than one that was handed out before.", () => motion.counts().late);
  counter("imu_dropped_total", "Samples that younger ones pushed out.", () => motion.counts().dropped);
  gauge(
    "ntp_offset_seconds",
    "Added to the system's clock, by time servers.",
    () => Number(clock.status().offsetNs) / 1e9,
  );
  gauge("phones_connected", "Sockets of phones.", () => devices.count("phone"));
  gauge("viewers_connected", "Sockets of viewers.", () => viewers.count);
  counters(
    "amqp_published_total",
    "Messages that the broker has confirmed.",
    "exchange",
    () => bus?.stats.published ?? {},
  );
  counter(
    "amqp_messages_rejected_total",
    "Messages of the bus that could not be read.",
    () => bus?.stats.rejected ?? 0,
  );
  counter(
    "amqp_messages_dropped_total",
    "Messages that waited for the broker and were too many.",
    () => bus?.stats.dropped ?? 0,
  );
}
