/** Reads the bits of a NAL unit's payload (H.264 7.2, 9.1), without its emulation prevention bytes. */

/** What is read of a unit at most: headers and parameter sets are far shorter, a slice's picture data are not wanted. */
const MAX_READ_BYTES = 4096;

export class BitReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  /** @param nal a unit without start code; its header byte is skipped */
  constructor(nal: Uint8Array) {
    this.#bytes = withoutEmulationPrevention(nal.subarray(1, 1 + MAX_READ_BYTES));
  }

  /** `u(n)`, 0 ≤ n ≤ 32. @throws {RangeError} past the end */
  bits(count: number): number {
    let value = 0;
    if (this.#position + count > this.#bytes.length * 8) throw new RangeError("the unit ends within a field");
    for (let left = count; left > 0; ) {
      const inByte = 8 - (this.#position & 7);
      const taken = Math.min(inByte, left);
      const part = (this.#bytes[this.#position >> 3]! >> (inByte - taken)) & ((1 << taken) - 1);
      value = value * 2 ** taken + part;
      this.#position += taken;
      left -= taken;
    }
    return value;
  }

  flag(): boolean {
    return this.bits(1) === 1;
  }

  /** `ue(v)`. @throws {RangeError} past the end, or for a number of more than 32 bits */
  unsigned(): number {
    let zeros = 0;
    while (!this.flag()) if (++zeros > 31) throw new RangeError("a number of more than 32 bits");
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** `ue(v)` that must not be over `most`. */
  upTo(most: number, what: string): number {
    const value = this.unsigned();
    if (value > most) throw new RangeError(`${what} is ${value}, at most ${most} is possible`);
    return value;
  }

  /** `se(v)`. */
  signed(): number {
    const value = this.unsigned();
    return value & 1 ? (value + 1) / 2 : 0 - value / 2;
  }
}

/** Drops the 3 of every `00 00 03`. */
export function withoutEmulationPrevention(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(payload.length);
  let length = 0;
  let zeros = 0;
  for (const byte of payload) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    out[length++] = byte;
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return out.subarray(0, length);
}
