/** Figures of live video, by the names that the hub's dashboards know (HUB-93 to HUB-96). */
import type { VideoSources } from "@cairn/core";
import { Counter, Histogram, type Registry } from "prom-client";
import { readOff } from "./read-off.ts";

/**
 * Each bound about 1.6 times the one before, 50 µs to 10 s: fine enough to read a p99 off, since the library that
 * counts has no native histograms.
 */
export const LATENCY_SECONDS = [
  0.00005, 0.0001, 0.00016, 0.00025, 0.0004, 0.0006, 0.001, 0.0016, 0.0025, 0.004, 0.005, 0.0065, 0.01, 0.016, 0.025,
  0.04, 0.065, 0.1, 0.16, 0.25, 0.5, 1, 2.5, 10,
];

export class VideoMetrics {
  /** From a producer's socket to a consumer's, seconds. */
  readonly latency: Histogram;
  readonly rejected: Counter;

  constructor(registry: Registry, video: VideoSources) {
    const registers = [registry];
    const { gauge, counter } = readOff(registry);
    const { totals } = video;
    gauge("h264_consumers_connected", "Consumers of video.", () => video.consumers().connected);
    counter("h264_frames_relayed_total", "Messages to consumers of video.", () => totals.relayedPackets);
    counter("h264_bytes_relayed_total", "H.264 bytes to consumers of video.", () => totals.relayedBytes);
    gauge("video_bandwidth_mbps", "Video that comes in, over 5 s, in Mbit/s.", () =>
      video.sources().reduce((sum, { mbps }) => sum + mbps, 0),
    );
    gauge("consumer_queue_size", "Messages that wait for consumers of video.", () => video.consumers().queued);
    counter(
      "consumer_frames_dropped_total",
      "Pictures that consumers were too slow for.",
      () => totals.droppedPictures,
    );
    this.rejected = new Counter({
      name: "h264_packets_rejected_total",
      help: "Video packets that could not be read.",
      registers,
    });
    this.latency = new Histogram({
      name: "frame_latency_seconds",
      help: "From the arrival of a video packet until it is handed to a consumer's socket.",
      buckets: LATENCY_SECONDS,
      registers,
    });
  }
}
