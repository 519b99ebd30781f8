/** Which decoder takes a stream: of those that are there, the first that can. */
import { CairnError } from "@cairn/protocol/errors";
import { beyondBaseline, type Pps, profileName } from "../h264/parameter-sets.ts";
import type { Backend, BackendEvents, DecoderDescription, Sequence } from "./backend.ts";
import { openFfmpeg } from "./ffmpeg.ts";
import { findFfmpeg } from "./ffmpeg-program.ts";
import { describeTinyH264, openTinyH264 } from "./tinyh264.ts";
import { findWebCodecs, openWebCodecs } from "./webcodecs.ts";

export type DecoderChoice = {
  /** Only this one; by default ffmpeg, webcodecs, tinyh264: the first that is there and takes the stream. */
  readonly backend?: DecoderDescription["backend"];
  /** The program; by default the environment's `CAIRN_FFMPEG` (`off`: none), else the one in `PATH`. */
  readonly ffmpeg?: string;
  /** Where `@napi-rs/webcodecs` is, as an import specifier; by default where Node finds it. */
  readonly webcodecs?: string;
};

export type OpenBackend = (events: BackendEvents, stuckAfterMs: number) => Backend;

/** What decodes H.264 here, the most able first; `undefined` only where even the embedded decoder cannot be loaded. */
export async function describeDecoder(choice: DecoderChoice = {}): Promise<DecoderDescription | undefined> {
  const { backend } = choice;
  if (!backend || backend === "ffmpeg") {
    const ffmpeg = await findFfmpeg(choice.ffmpeg);
    if (ffmpeg) return ffmpeg.description;
  }
  if (!backend || backend === "webcodecs") {
    const webcodecs = await findWebCodecs(choice.webcodecs);
    if (webcodecs) return webcodecs.description;
  }
  if (backend && backend !== "tinyh264") return undefined;
  try {
    return describeTinyH264();
  } catch {
    return undefined;
  }
}

/** @throws {CairnError} `video.no_decoder`: none that is there takes this stream */
export async function chooseDecoder(
  sequence: Sequence,
  pps: readonly Pps[],
  choice: DecoderChoice,
): Promise<OpenBackend> {
  const { backend } = choice;
  const baselineOnly = beyondBaseline(sequence.sps, pps);
  if (!backend || backend === "ffmpeg") {
    const ffmpeg = await findFfmpeg(choice.ffmpeg);
    if (ffmpeg) return (events, stuckAfterMs) => openFfmpeg(ffmpeg, sequence, events, stuckAfterMs);
  }
  if (!backend || backend === "webcodecs") {
    const webcodecs = await findWebCodecs(choice.webcodecs);
    if (webcodecs) return (events, stuckAfterMs) => openWebCodecs(webcodecs, sequence, events, stuckAfterMs);
  }
  if ((!backend || backend === "tinyh264") && !baselineOnly)
    return (events, stuckAfterMs) => openTinyH264(sequence, events, stuckAfterMs);
  throw new CairnError("video.no_decoder", {
    codec: sequence.sps.codec,
    profile: profileName(sequence.sps),
    ...(baselineOnly && { because: baselineOnly }),
    ...(backend && { asked: backend }),
  });
}
