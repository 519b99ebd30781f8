/** Writes parameter sets and slices bit by bit, so that tests spell the streams they mean. */
export class BitWriter {
  readonly #bits: number[] = [];

  bits(value: number, count: number): this {
    for (let i = count - 1; i >= 0; i--) this.#bits.push(Math.floor(value / 2 ** i) & 1);
    return this;
  }

  ue(value: number): this {
    const length = Math.floor(Math.log2(value + 1));
    return this.bits(0, length).bits(value + 1, length + 1);
  }

  /** With the stop bit, filled to whole bytes, and with emulation prevention. */
  nal(header: number): Uint8Array {
    const bits = [...this.#bits, 1];
    while (bits.length % 8) bits.push(0);
    const out = [header];
    let zeros = 0;
    for (let i = 0; i < bits.length; i += 8) {
      const byte = bits.slice(i, i + 8).reduce((sum, bit) => sum * 2 + bit, 0);
      if (zeros >= 2 && byte <= 3) {
        out.push(3);
        zeros = 0;
      }
      out.push(byte);
      zeros = byte === 0 ? zeros + 1 : 0;
    }
    return Uint8Array.from(out);
  }
}

export type SpsWish = {
  columns: number;
  rows: number;
  profileIdc?: number;
  constraints?: number;
  levelIdc?: number;
  crop?: { left: number; right: number; top: number; bottom: number };
};

/** Frames only, 4:2:0, `frame_num` of 4 bits, order type 2. */
export function writeSps({
  columns,
  rows,
  profileIdc = 66,
  constraints = 0xc0,
  levelIdc = 31,
  crop,
}: SpsWish): Uint8Array {
  const writer = new BitWriter().bits(profileIdc, 8).bits(constraints, 8).bits(levelIdc, 8).ue(0);
  if (profileIdc === 100) writer.ue(1).ue(0).ue(0).bits(0, 2);
  writer.ue(0).ue(2).ue(1).bits(0, 1);
  writer
    .ue(columns - 1)
    .ue(rows - 1)
    .bits(1, 1)
    .bits(1, 1);
  writer.bits(crop ? 1 : 0, 1);
  if (crop) writer.ue(crop.left).ue(crop.right).ue(crop.top).ue(crop.bottom);
  return writer.bits(0, 1).nal(0x67);
}

export function writePps({ arithmeticCoding = false } = {}): Uint8Array {
  const writer = new BitWriter()
    .ue(0)
    .ue(0)
    .bits(arithmeticCoding ? 1 : 0, 1)
    .bits(0, 1);
  return writer.ue(0).ue(0).ue(0).bits(0, 3).ue(0).ue(0).ue(0).bits(0, 3).nal(0x68);
}

/** A slice as far as its frame_num; `filling` stands for its macroblocks. */
export function writeSlice(slice: { first: number; frameNum: number; key?: boolean; filling?: number }): Uint8Array {
  const writer = new BitWriter()
    .ue(slice.first)
    .ue(slice.key ? 7 : 5)
    .ue(0)
    .bits(slice.frameNum, 4);
  for (let i = 0; i < (slice.filling ?? 40); i++) writer.bits((i * 37) & 255, 8);
  return writer.nal(slice.key ? 0x65 : 0x41);
}
