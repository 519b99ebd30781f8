/** The packets of a source from its last key frame on, so that who comes now sees a picture at once (HUB-22). */
import { isPictureNal, NAL, nalUnits } from "@cairn/video";
import type { StreamPacket } from "./stream-packet.ts";

const MAX_BYTES = 8 * 2 ** 20;
const MAX_PACKETS = 300;

export class PictureGroup {
  #packets: StreamPacket[] = [];
  #bytes = 0;
  /** So far there is nothing but the key picture, which may come in slices. */
  #opening = false;

  get packets(): readonly StreamPacket[] {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(packet: StreamPacket): void {
    if (packet.kind === "key" && !this.#goesOn(packet)) {
      this.clear();
      this.#opening = true;
    } else if (this.#packets.length === 0) return; // what comes before a key frame shows nothing
    if (packet.kind !== "key") this.#opening = false;
    this.#packets.push(packet);
    this.#bytes += packet.data.length;
    // Part of a group is of no use to anyone.
    if (this.#bytes > MAX_BYTES || this.#packets.length > MAX_PACKETS) this.clear();
  }

  clear(): void {
    this.#packets = [];
    this.#bytes = 0;
    this.#opening = false;
  }

  /** Whether it is a further slice of the key picture that opened the group: its first macroblock is not the picture's. */
  #goesOn({ timeNs, data }: StreamPacket): boolean {
    return this.#opening && timeNs === this.#packets[0]?.timeNs && firstMacroblock(data) !== 0;
  }
}

/** `first_mb_in_slice` of the first slice, as far as to tell 0 (one bit, set) from others; `undefined` without a slice. */
function firstMacroblock(data: Uint8Array): 0 | 1 | undefined {
  for (const { type, bytes } of nalUnits(data)) {
    if (isPictureNal(type)) return type === NAL.keySlice && !((bytes[1] ?? 0x80) & 0x80) ? 1 : 0;
  }
  return undefined;
}
