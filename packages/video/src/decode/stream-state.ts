/**
 * What a stream has said so far: its parameter sets, and whether pictures are missing. Kept by our own reading, since
 * no decoder can be trusted to tell: most show made-up pictures after a loss as if nothing had been.
 */
import type { AccessUnit } from "../h264/access-unit.ts";
import { NAL, nalUnits } from "../h264/nal.ts";
import { type Pps, readPps, readSps, type Sps } from "../h264/parameter-sets.ts";
import { readSliceHead } from "../h264/slice.ts";
import type { Sequence } from "./backend.ts";

type Known<Set> = { readonly set: Set; readonly nal: Uint8Array };

export class StreamState {
  readonly #sps = new Map<number, Known<Sps>>();
  readonly #pps = new Map<number, Known<Pps>>();
  #active: number | undefined;
  #lastFrameNum: number | undefined;
  #lastReference = 0;

  /**
   * Reads a unit in the order of decoding.
   * @returns whether it is what the stream leads one to expect: its headers can be read, and no picture that others
   *   need is missing before it
   */
  read(unit: AccessUnit): boolean {
    let sound = true;
    let first = true;
    for (const nal of nalUnits(unit.data)) {
      try {
        if (nal.type === NAL.sps) {
          const set = readSps(nal.bytes);
          this.#sps.set(set.id, { set, nal: new Uint8Array(nal.bytes) });
        } else if (nal.type === NAL.pps) {
          const set = readPps(nal.bytes);
          this.#pps.set(set.id, { set, nal: nal.bytes.slice() });
        } else if (nal.type === NAL.slice || nal.type === NAL.keySlice) {
          const sps = this.#spsOf(readSliceHead(nal).ppsId);
          if (!sps) throw new RangeError("a slice without its parameter sets");
          if (first)
            sound =
              this.#follows(
                readSliceHead(nal, sps.frameNumBits).frameNum!,
                nal.refIdc > 0,
                nal.type === NAL.keySlice,
                sps,
              ) && sound;
          if (nal.type === NAL.keySlice) this.#active = sps.id;
          first = false;
        }
      } catch {
        sound = false;
      }
    }
    return sound && !first;
  }

  /** What a decoder needs to begin at the key picture read last; `undefined` while parameter sets are missing. */
  sequence(): Sequence | undefined {
    const sps = this.#active === undefined ? undefined : this.#sps.get(this.#active);
    const pps = [...this.#pps.values()].filter(({ set }) => set.spsId === this.#active);
    if (!sps || pps.length === 0) return undefined;
    // Baseline has no B pictures; others say how many pictures may wait, or may have any.
    const { profileIdc, vui } = sps.set;
    const reorders = profileIdc !== 66 && vui.reorderFrames !== 0;
    return { sps: sps.set, spsNal: sps.nal, ppsNals: pps.map(({ nal }) => nal), reorders };
  }

  pps(): readonly Pps[] {
    return [...this.#pps.values()].flatMap(({ set }) => (set.spsId === this.#active ? set : []));
  }

  /** Whether a picture comes right after the one read last (7.4.3, `frame_num`): else one that is needed is missing. */
  #follows(frameNum: number, isReference: boolean, key: boolean, sps: Sps): boolean {
    const wrap = 2 ** sps.frameNumBits;
    const step = (frameNum - this.#lastReference + wrap) % wrap;
    const follows = key || sps.frameNumGaps || this.#lastFrameNum === undefined || step <= 1;
    this.#lastFrameNum = frameNum;
    if (isReference || key) this.#lastReference = frameNum;
    return follows;
  }

  #spsOf(ppsId: number): Sps | undefined {
    const pps = this.#pps.get(ppsId);
    return pps && this.#sps.get(pps.set.spsId)?.set;
  }
}
