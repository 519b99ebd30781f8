/** What the thread that watches one stream is asked. */
import type { ErrorBody } from "@cairn/protocol";
import type { DecoderChoice, StreamMessage, VideoKeyframe } from "@cairn/video";
import type { Report } from "@cairn/worker";

export type KeyframeTake = {
  readonly keyframes: readonly VideoKeyframe[];
  /** Of the pictures that were decoded, in the order of showing. */
  readonly timesNs: readonly bigint[];
  /** Of these, pictures that damage had spoilt. */
  readonly untrusted: number;
  /** Pictures that no decoder could begin with. */
  readonly skipped: number;
  readonly width: number;
  readonly height: number;
  /** Why nothing is decoded; left out: nothing is wrong. */
  readonly problem?: ErrorBody;
};

type TakeJob = {
  readonly messages: readonly StreamMessage[];
  readonly decoder: DecoderChoice;
  /** How much more than usual a keyframe must show. */
  readonly demand: number;
  /** Pictures are looked at no more often than this. */
  readonly lookEveryMs: number;
};

export interface KeyframeJobs {
  /** Messages of one stream, in order; the first job opens a decoder. */
  take(job: TakeJob, report: Report): Promise<KeyframeTake>;
  /** The stream has ended: what is left of it. */
  end(job: Record<string, never>, report: Report): Promise<KeyframeTake>;
}
