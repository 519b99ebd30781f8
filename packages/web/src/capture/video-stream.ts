/**
 * The camera as H.264 for the space: constrained baseline where there is a choice, which every server decodes without
 * anything installed, in access units that begin with their parameter sets at every key picture. A link that is too slow gets fewer pictures,
 * never broken ones: what is left out is left out before it is encoded.
 */
import { HUB_FLAG, HUB_PACKET, writeHubPacket } from "@cairn/video/packet";
import { epochUs } from "./clock.ts";
import type { DeviceLine } from "./device-line.ts";

/** What is asked for, the first that there is: constrained baseline first, which needs nothing installed to be decoded. */
const PROFILES = [
  { codec: "avc1.42E01F", profile: "constrained baseline" },
  { codec: "avc1.42001F", profile: "baseline" },
  { codec: "avc1.4D001F", profile: "main" },
  { codec: "avc1.64001F", profile: "high" },
] as const;
const BITRATE = 4_000_000;
const FRAMES_PER_S = 30;
/** Level 3.1 in macroblocks of 16 × 16. */
const MOST_BLOCKS = 3600;
const KEY_EVERY_MS = 2000;
/** More than this on its way is old news: pictures are left out until it is gone. */
const MOST_WAITING_BYTES = 512 * 1024;
const MOST_IN_ENCODER = 2;

export type VideoPlan = {
  readonly width: number;
  readonly height: number;
  readonly profile: (typeof PROFILES)[number]["profile"];
  readonly config: VideoEncoderConfig;
};

/** How this browser would encode pictures of such a size; `undefined`: it has no H.264 encoder. */
export async function planVideo(width: number, height: number): Promise<VideoPlan | undefined> {
  if (!("VideoEncoder" in globalThis && "requestVideoFrameCallback" in HTMLVideoElement.prototype)) return undefined;
  const size = fitted(width, height);
  for (const { codec, profile } of PROFILES) {
    const config: VideoEncoderConfig = {
      codec,
      ...size,
      bitrate: BITRATE,
      framerate: FRAMES_PER_S,
      latencyMode: "realtime",
      avc: { format: "annexb" },
    };
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return { ...size, profile, config };
  }
  return undefined;
}

/** Even sides, as 4:2:0 wants, within the level. */
function fitted(width: number, height: number): { width: number; height: number } {
  const blocks = (scale: number) => Math.ceil((width * scale) / 16) * Math.ceil((height * scale) / 16);
  let scale = 1;
  while (blocks(scale) > MOST_BLOCKS) scale *= 0.98;
  const even = (side: number) => Math.max(2, 2 * Math.floor((side * scale) / 2));
  return { width: even(width), height: even(height) };
}

export type StreamStats = { readonly sent: number; readonly skipped: number; readonly keys: number };

type StreamOptions = {
  readonly viewfinder: HTMLVideoElement;
  readonly plan: VideoPlan;
  readonly line: DeviceLine;
  onStats(stats: StreamStats): void;
  /** The encoder gave up. */
  onProblem(error: unknown): void;
  readonly signal: AbortSignal;
};

/** Streams until the signal aborts. */
export function streamVideo({ viewfinder, plan, line, onStats, onProblem, signal }: StreamOptions): void {
  let [sent, skipped, keys] = [0, 0, 0];
  let keyDueMs = 0;
  let frame = 0;
  line.onOpen(() => {
    keyDueMs = 0;
  });

  const encoder = new VideoEncoder({
    output(chunk) {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      const key = chunk.type === "key";
      line.send(
        writeHubPacket({
          type: key ? HUB_PACKET.key : HUB_PACKET.frame,
          timestampUs: BigInt(chunk.timestamp),
          flags: key ? HUB_FLAG.key : 0,
          data,
        }) as Uint8Array<ArrayBuffer>,
      );
      sent++;
      if (key) keys++;
      onStats({ sent, skipped, keys });
    },
    error: (error) => {
      if (!signal.aborted) onProblem(error);
    },
  });
  encoder.configure(plan.config);

  const take = (nowMs: number, { captureTime = nowMs }: VideoFrameCallbackMetadata) => {
    frame = viewfinder.requestVideoFrameCallback(take);
    if (encoder.state !== "configured" || !line.open) return;
    if (encoder.encodeQueueSize > MOST_IN_ENCODER || line.waitingBytes > MOST_WAITING_BYTES) {
      skipped++;
      return;
    }
    const picture = new VideoFrame(viewfinder, { timestamp: Number(epochUs(captureTime)) });
    const keyFrame = nowMs >= keyDueMs;
    if (keyFrame) keyDueMs = nowMs + KEY_EVERY_MS;
    encoder.encode(picture, { keyFrame });
    picture.close();
  };
  frame = viewfinder.requestVideoFrameCallback(take);

  signal.addEventListener(
    "abort",
    () => {
      viewfinder.cancelVideoFrameCallback(frame);
      if (encoder.state !== "closed") encoder.close();
    },
    { once: true },
  );
}
