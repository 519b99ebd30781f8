/** What goes on by itself once it was started: a stream of video, or where nothing encodes it, photos at a pace. */
import { type RefObject, useEffect, useState } from "react";
import { inWords } from "../words.ts";
import type { DeviceLine } from "./device-line.ts";
import { planVideo, type StreamStats, streamVideo, type VideoPlan } from "./video-stream.ts";

export type Way = { readonly kind: "video"; readonly plan: VideoPlan } | { readonly kind: "photos" };

/** What this browser can send of such a stream; `undefined`: not known yet. */
export function useWay(
  stream: MediaStream | undefined,
  viewfinder: RefObject<HTMLVideoElement | null>,
): Way | undefined {
  const [way, setWay] = useState<Way>();
  useEffect(() => {
    const element = viewfinder.current;
    if (!stream || !element) return;
    const stop = new AbortController();
    const look = async () => {
      if (element.videoWidth === 0) return;
      const plan = await planVideo(element.videoWidth, element.videoHeight);
      if (!stop.signal.aborted) setWay(plan ? { kind: "video", plan } : { kind: "photos" });
    };
    // A phone that is turned has another size, and so another encoder.
    element.addEventListener("resize", () => void look(), { signal: stop.signal });
    void look();
    return () => stop.abort();
  }, [stream, viewfinder]);
  return way;
}

type Streaming = { readonly stats: StreamStats; readonly problem?: string };
const NOTHING: Streaming = { stats: { sent: 0, skipped: 0, keys: 0 } };

export function useVideo(
  running: boolean,
  way: Way | undefined,
  line: DeviceLine | undefined,
  viewfinder: RefObject<HTMLVideoElement | null>,
): Streaming {
  const [state, setState] = useState<Streaming>(NOTHING);
  useEffect(() => {
    const element = viewfinder.current;
    if (!running || way?.kind !== "video" || !line || !element) return;
    const stop = new AbortController();
    let latest = NOTHING.stats;
    let frame = 0;
    streamVideo({
      viewfinder: element,
      plan: way.plan,
      line,
      signal: stop.signal,
      onStats(stats) {
        latest = stats;
        frame ||= requestAnimationFrame(() => {
          frame = 0;
          setState({ stats: latest });
        });
      },
      onProblem: (error) => setState({ stats: latest, problem: inWords(error) }),
    });
    return () => {
      stop.abort();
      cancelAnimationFrame(frame);
      setState(NOTHING);
    };
  }, [running, way, line, viewfinder]);
  return state;
}

export const PACES_S = [1, 2, 5] as const;

/** Takes one, waits for it and for the pace, takes the next. */
export function usePaced(running: boolean, paceS: number, shoot: () => Promise<unknown>): void {
  useEffect(() => {
    if (!running) return;
    const stop = new AbortController();
    const again = async () => {
      while (!stop.signal.aborted) {
        const due = performance.now() + paceS * 1000;
        await shoot();
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      }
    };
    void again();
    return () => stop.abort();
  }, [running, paceS, shoot]);
}
