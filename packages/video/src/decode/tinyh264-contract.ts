/** What the worker thread with tinyh264 is asked. */
import type { Report } from "@cairn/worker";

/** It holds one decoder. */
export interface TinyJobs {
  /** Decodes one access unit. `begin`: forget all before; its units must begin with parameter sets and a key picture. */
  decode(
    job: {
      begin: boolean;
      units: Uint8Array[]; // NAL units without start codes
      crop: Crop;
    },
    report: Report,
  ): Promise<{ i420: Uint8Array | undefined; damaged: boolean }>;
}

/** The part of a picture of whole macroblocks that is shown, pixels; all even but the sizes. */
export type Crop = {
  codedWidth: number;
  codedHeight: number;
  left: number;
  top: number;
  width: number;
  height: number;
};
