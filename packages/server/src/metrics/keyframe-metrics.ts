/** Figures of video that builds models. What each source does is in `GET /v1/video`: names are not ours to make labels of. */
import type { Keyframes, KeyframeTotals } from "@cairn/core";
import { Counter, Gauge, type Registry } from "prom-client";

export function keyframeMetrics(registry: Registry, keyframes: Pick<Keyframes, "totals">): void {
  const registers = [registry];
  new Gauge({
    name: "cairn_keyframe_streams",
    help: "Streams of video that build a model now.",
    registers,
    collect() {
      this.set(keyframes.totals().streams);
    },
  });
  const counter = (name: string, help: string, of: Exclude<keyof KeyframeTotals, "streams">) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(keyframes.totals()[of]);
      },
    });
  counter("cairn_keyframe_pictures_total", "Pictures of live video that were decoded.", "pictures");
  counter(
    "cairn_keyframe_pictures_left_out_total",
    "Pictures of live video that were not decoded: decoding was behind, or could not begin.",
    "leftOut",
  );
  counter("cairn_keyframes_total", "Keyframes of live video that became photos.", "keyframes");
  counter("cairn_keyframes_dropped_total", "Keyframes that were chosen and let go again.", "dropped");
}
