/** Figures of video that builds models. What each source does is in `GET /v1/video`: names are not ours to make labels of. */
import type { Keyframes } from "@cairn/core";
import type { Registry } from "prom-client";
import { readOff } from "./read-off.ts";

export function keyframeMetrics(registry: Registry, keyframes: Pick<Keyframes, "totals">): void {
  const { gauge, counter } = readOff(registry);
  gauge(
    "cairn_keyframe_streams",
    "Streams of video or single pictures that build a model now.",
    () => keyframes.totals().streams,
  );
  counter(
    "cairn_keyframe_pictures_total",
    "Pictures of live video that were decoded.",
    () => keyframes.totals().pictures,
  );
  counter(
    "cairn_keyframe_pictures_left_out_total",
    "Pictures of live video that were not decoded: decoding was behind, or could not begin.",
    () => keyframes.totals().leftOut,
  );
  counter("cairn_keyframes_total", "Keyframes of live video that became photos.", () => keyframes.totals().keyframes);
  counter(
    "cairn_keyframes_dropped_total",
    "Keyframes that were chosen and let go again.",
    () => keyframes.totals().dropped,
  );
}
