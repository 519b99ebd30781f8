/**
 * Access units (all that makes one picture) out of messages that hold any part of them: one NAL unit each, a slice each,
 * or whole pictures. A decoder gets one access unit a call: most give up on half of one, or lose one of two.
 *
 * Where a picture ends is only known when the next begins (H.264 7.4.1.2.3), which costs a live stream one picture's
 * time. A sender that always puts whole pictures into its messages is believed after a while: `eager`.
 */
import { annexB, isPictureNal, NAL, type NalUnit, nalUnits } from "./nal.ts";
import { readPps, readSps } from "./parameter-sets.ts";
import { readSliceHead, type SliceHead } from "./slice.ts";

export type AccessUnit = {
  /** Annex B, start codes of four bytes. */
  readonly data: Uint8Array;
  /** When the picture was taken, by the clock of whoever gave the time. */
  readonly timeNs: bigint;
  /** A decoder may start here. */
  readonly key: boolean;
  /** Something before this unit, or in it, is missing or was unreadable. */
  readonly lost?: true;
  /** The time was counted in the order of decoding: pictures may be shown in another. */
  readonly counted?: true;
};

export type PushHint = {
  /** The sender says that the picture goes on in its next message. */
  readonly partial?: boolean;
  /** The sender says that the picture is whole with this message. */
  readonly ends?: boolean;
};

/** What one picture may take; more is dropped and said by `lost`. 8 MiB are 240 MB/s at 30 pictures a second. */
export const MAX_ACCESS_UNIT_BYTES = 8 * 1024 * 1024;
const MAX_UNITS_OF_A_PICTURE = 1024;

/** So many pictures, with so many key pictures among them (they are cut up first), each in one message: eager. */
const BELIEVE_AFTER = { pictures: 8, keyPictures: 2 };

type Picture = {
  readonly key: boolean;
  readonly isReference: boolean;
  readonly heads: SliceHead[];
  readonly timeNs: bigint;
};

export class AccessUnitAssembler {
  readonly #eager: boolean;
  readonly #mostUnits: number | undefined;
  #units: Uint8Array[] = [];
  #sizeBytes = 0;
  #picture: Picture | undefined;
  /** Messages that brought slices of the picture. */
  #messages = 0;
  /** The picture that went out before its end was certain. */
  #released: Picture | undefined;
  #lost = false;
  #whole = { pictures: 0, keyPictures: 0 };
  #cutUp = false;
  readonly #frameNumBits = new Map<number, number>();
  readonly #spsOfPps = new Map<number, number>();

  /**
   * @param options.eager hand out a picture with the message that brings it, once the sender has earned that
   * @param options.mostUnits of a message, more are not read: a piece of a file has many pictures, a message a few
   */
  constructor(options: { readonly eager?: boolean; readonly mostUnits?: number } = {}) {
    this.#eager = options.eager ?? false;
    this.#mostUnits = options.mostUnits;
  }

  /**
   * @param data NAL units with start codes; kept as views until their picture is whole, so do not write to it again
   * @returns the pictures that this message completed, in order
   */
  push(data: Uint8Array, timeNs: bigint, hint: PushHint = {}): AccessUnit[] {
    const done: AccessUnit[] = [];
    let brought = false;
    for (const unit of nalUnits(data, this.#mostUnits)) {
      const isSlice = isPictureNal(unit.type);
      // Partitions B and C have no header of their own; they follow their A.
      const head = isSlice && (unit.type < 3 || unit.type === NAL.keySlice) ? this.#readHead(unit) : undefined;
      if (this.#picture && (isSlice ? this.#beginsPicture(unit, head, timeNs) : endsPicture(unit.type))) {
        this.#finish(done);
        brought = false;
      }
      if (this.#continuesReleased(unit, head, timeNs)) {
        // Believed too early: the rest of a picture that is gone. From now on the end of each is waited for.
        this.#cutUp = this.#lost = true;
        continue;
      }
      if (isSlice) {
        this.#released = undefined;
        this.#picture ??= { key: unit.type === NAL.keySlice, isReference: unit.refIdc > 0, heads: [], timeNs };
        if (head) this.#picture.heads.push(head);
        else if (unit.type < 3 || unit.type === NAL.keySlice) this.#lost = true;
        if (!brought) this.#messages++;
        brought = true;
      } else if (endsPicture(unit.type)) this.#released = undefined;
      this.#learn(unit);
      this.#units.push(unit.bytes);
      this.#sizeBytes += unit.bytes.length + 4;
      if (this.#sizeBytes > MAX_ACCESS_UNIT_BYTES || this.#units.length > MAX_UNITS_OF_A_PICTURE) this.#drop();
    }
    if (hint.partial) this.#cutUp = true;
    const certain = hint.ends || this.#believed();
    if (certain && this.#picture && !hint.partial) {
      this.#released = hint.ends ? undefined : this.#picture;
      this.#finish(done);
    }
    this.#letGo(data.buffer);
    return done;
  }

  /** What is left is whole: the stream has ended. */
  flush(): AccessUnit[] {
    const done: AccessUnit[] = [];
    if (this.#picture) this.#finish(done);
    this.#units = [];
    this.#sizeBytes = 0;
    this.#released = undefined;
    return done;
  }

  /** The caller knows that a message is missing. */
  miss(): void {
    this.#lost = true;
  }

  #believed(): boolean {
    const { pictures, keyPictures } = this.#whole;
    if (!this.#eager || this.#cutUp) return false;
    return pictures >= BELIEVE_AFTER.pictures && keyPictures >= BELIEVE_AFTER.keyPictures;
  }

  #finish(done: AccessUnit[]): void {
    const picture = this.#picture!;
    const data = annexB(this.#units);
    done.push({ data, timeNs: picture.timeNs, key: picture.key, ...(this.#lost && { lost: true }) });
    if (this.#messages > 1) this.#cutUp = true;
    else if (picture.key) this.#whole.keyPictures++;
    this.#whole.pictures++;
    this.#reset();
    this.#lost = false;
  }

  /** A view keeps its whole message alive: where little of a message waits, that little is copied. */
  #letGo(message: ArrayBufferLike): void {
    let from = this.#units.length;
    let keptBytes = 0;
    while (from > 0 && this.#units[from - 1]!.buffer === message) keptBytes += this.#units[--from]!.length;
    if (keptBytes >= message.byteLength / 2) return;
    for (; from < this.#units.length; from++) this.#units[from] = new Uint8Array(this.#units[from]!);
  }

  #drop(): void {
    this.#reset();
    this.#lost = true;
  }

  #reset(): void {
    this.#units = [];
    this.#sizeBytes = 0;
    this.#messages = 0;
    this.#picture = undefined;
  }

  #readHead(unit: NalUnit): SliceHead | undefined {
    try {
      const head = readSliceHead(unit);
      const bits = this.#frameNumBits.get(this.#spsOfPps.get(head.ppsId) ?? -1);
      return bits === undefined ? head : readSliceHead(unit, bits);
    } catch {
      return undefined; // The decoder will say so too; here it only means that the picture is told by its time.
    }
  }

  /** Whether a slice is the first of another picture than the one that is being put together (7.4.1.2.4). */
  #beginsPicture(unit: NalUnit, head: SliceHead | undefined, timeNs: bigint): boolean {
    const isReference = unit.refIdc > 0;
    return !sameNow(this.#picture!, { key: unit.type === NAL.keySlice, isReference, head, timeNs, type: unit.type });
  }

  #continuesReleased(unit: NalUnit, head: SliceHead | undefined, timeNs: bigint): boolean {
    if (!this.#released || !isPictureNal(unit.type)) return false;
    const isReference = unit.refIdc > 0;
    return sameNow(this.#released, { key: unit.type === NAL.keySlice, isReference, head, timeNs, type: unit.type });
  }

  #learn(unit: NalUnit): void {
    try {
      if (unit.type === NAL.sps) {
        const sps = readSps(unit.bytes);
        this.#frameNumBits.set(sps.id, sps.frameNumBits);
      } else if (unit.type === NAL.pps) {
        const pps = readPps(unit.bytes);
        this.#spsOfPps.set(pps.id, pps.spsId);
      }
    } catch {
      // A parameter set that cannot be read teaches nothing; pictures are then told apart without frame_num.
    }
  }
}

/** Access unit delimiter, parameter sets, SEI and what is reserved for before a picture (7.4.1.2.3). */
function endsPicture(type: number): boolean {
  return (type >= NAL.sei && type <= NAL.delimiter) || (type >= 14 && type <= 18);
}

type Slice = { key: boolean; isReference: boolean; head: SliceHead | undefined; timeNs: bigint; type: number };

function sameNow(picture: Picture, slice: Slice): boolean {
  if (slice.type === 3 || slice.type === 4) return true;
  if (slice.key !== picture.key || slice.isReference !== picture.isReference) return false;
  const { head } = slice;
  const last = picture.heads.at(-1);
  if (!head || !last) return slice.timeNs === picture.timeNs;
  if (head.ppsId !== last.ppsId || head.frameNum !== last.frameNum) return false;
  // Slices may come in any order in the baseline profile, but none comes twice.
  if (picture.heads.some((each) => each.firstMacroblock === head.firstMacroblock)) return false;
  return head.firstMacroblock > last.firstMacroblock || slice.timeNs === picture.timeNs;
}
