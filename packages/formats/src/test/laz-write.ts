/**
 * For tests: LAZ files of chunks that hold one point each, which the format keeps as it is, behind a table of chunks that
 * is coded as in any LAZ file. Enough to be read by readers that others wrote.
 */
import { BitModel, SymbolModel } from "../read/laz-models.ts";

type LazOptions = {
  /** Header and records of an uncompressed LAS file of formats 2 or 7. */
  las: Uint8Array;
  /** Points of each chunk said in the table (COPC), not once for all. */
  variable?: boolean;
  /**
   * Chunks of more points: as many of the same as `points` says. Zeros are the code for "as before"; `zeros` of them is
   * what so many points take.
   */
  repeats?: readonly { points: number; zeros: number }[];
  /** Bytes between the chunks that nobody needs. */
  gaps?: boolean;
  /** The place of the table is at the end of the file, as of writers that cannot go back. */
  streamed?: boolean;
  /** What to write in the table and the header where it is not the truth. */
  lie?: { chunkBytes?: number; chunkPoints?: number; compressor?: number };
};

/** One point a chunk: `fixed` chunk size 1, or the table says so. */
export function lazOf({
  las,
  variable = false,
  repeats,
  gaps = false,
  streamed = false,
  lie = {},
}: LazOptions): Uint8Array {
  const source = Buffer.from(las);
  const pointsAt = source.readUInt32LE(96);
  const headerBytes = source.readUInt16LE(94);
  const format = source[104]!;
  const recordBytes = source.readUInt16LE(105);
  const count = Math.floor((source.length - pointsAt) / recordBytes);
  const items = format === 2 ? [[6, 20, 2], [8, 6, 2]] : [[10, 30, 3], [11, 6, 3]]; // biome-ignore format: pairs
  const record = Buffer.alloc(54 + 34 + 6 * items.length);
  record.write("laszip encoded", 2, "latin1");
  record.writeUInt16LE(22204, 18);
  record.writeUInt16LE(record.length - 54, 20);
  record.writeUInt16LE(lie.compressor ?? (format === 2 ? 2 : 3), 54);
  record.writeUInt8(3, 58);
  record.writeUInt8(4, 59);
  record.writeUInt32LE(variable ? 0xffffffff : 1, 66);
  record.writeBigInt64LE(-1n, 70);
  record.writeBigInt64LE(-1n, 78);
  record.writeUInt16LE(items.length, 86);
  for (const [i, item] of items.entries()) {
    for (const [k, value] of item.entries()) record.writeUInt16LE(value, 88 + 6 * i + 2 * k);
  }
  const head = Buffer.concat([source.subarray(0, headerBytes), record]);
  head[104]! |= 128;
  head.writeUInt32LE(head.length, 96);
  head.writeUInt32LE(1, 100);
  const chunks = Array.from({ length: count }, (_, i) => {
    const raw = source.subarray(pointsAt + i * recordBytes, pointsAt + (i + 1) * recordBytes);
    // Behind the first point: the coder's first bytes, or the number of points and the sizes of ten empty layers.
    const rest = Buffer.alloc(format === 2 ? 4 : 44);
    if (format === 7) rest.writeUInt32LE(1, 0);
    return Buffer.concat([raw, rest, Buffer.alloc((repeats?.[i]?.zeros ?? 0) + (gaps ? i % 3 : 0))]);
  });
  const place = Buffer.alloc(8);
  const tableAt = head.length + 8 + chunks.reduce((sum, { length }) => sum + length, 0);
  place.writeBigInt64LE(BigInt(tableAt));
  const table = Buffer.alloc(8);
  table.writeUInt32LE(count, 4);
  const sizes = chunks.map(({ length }) => length);
  if (lie.chunkBytes !== undefined) sizes[count - 1] = lie.chunkBytes;
  const points = variable
    ? chunks.map((_, i) => (i === 0 && lie.chunkPoints) || (repeats?.[i]?.points ?? 1))
    : undefined;
  if (repeats)
    head.writeUInt32LE(
      repeats.reduce((sum, each) => sum + each.points, 0),
      107,
    );
  const parts = [head, streamed ? Buffer.alloc(8, 255) : place, ...chunks, table, tableOf(sizes, points)];
  return new Uint8Array(Buffer.concat(streamed ? [...parts, place] : parts));
}

/** The coded entries of a table of chunks. */
export function tableOf(sizes: readonly number[], points?: readonly number[]): Uint8Array {
  const encoder = new ArithmeticEncoder();
  const classes = [new SymbolModel(33), new SymbolModel(33)];
  const bit = new BitModel();
  const corrections = Array.from({ length: 33 }, (_, k) => new SymbolModel(2 ** Math.min(Math.max(k, 1), 8)));
  const put = (value: number, predicted: number, context: 0 | 1) => {
    const correction = (value - predicted) | 0;
    let k = 0;
    for (let c = correction <= 0 ? -correction : correction - 1; c > 0; c = Math.floor(c / 2)) k++;
    encoder.symbol(classes[context]!, k);
    if (k === 0) encoder.bit(bit, correction);
    else if (k < 32) {
      const shifted = correction < 0 ? correction + 2 ** k - 1 : correction - 1;
      if (k <= 8) encoder.symbol(corrections[k]!, shifted);
      else {
        encoder.symbol(corrections[k]!, Math.floor(shifted / 2 ** (k - 8)));
        encoder.bits(k - 8, shifted % 2 ** (k - 8));
      }
    }
  };
  for (const [i, size] of sizes.entries()) {
    if (points) put(points[i]!, i > 0 ? points[i - 1]! : 0, 0);
    put(size, i > 0 ? sizes[i - 1]! : 0, 1);
  }
  return encoder.done();
}

class ArithmeticEncoder {
  readonly #bytes: number[] = [];
  #base = 0;
  #length = 2 ** 32 - 1;

  symbol(model: SymbolModel, symbol: number): void {
    const before = this.#length;
    this.#length >>>= 15;
    const low = model.distribution[symbol]! * this.#length;
    const next = symbol === model.symbols - 1 ? before : model.distribution[symbol + 1]! * this.#length;
    this.#narrow(low, next - low);
    model.counts[symbol]!++;
    if (--model.untilUpdate === 0) model.update();
  }

  bit(model: BitModel, bit: number): void {
    const edge = model.zeroProbability * (this.#length >>> 13);
    if (bit === 0) model.zeros++;
    this.#narrow(bit === 0 ? 0 : edge, bit === 0 ? edge : this.#length - edge);
    if (--model.untilUpdate === 0) model.update();
  }

  bits(count: number, value: number): void {
    if (count > 19) {
      this.bits(16, value % 2 ** 16);
      this.bits(count - 16, Math.floor(value / 2 ** 16));
      return;
    }
    this.#length >>>= count;
    this.#narrow(value * this.#length, this.#length);
  }

  done(): Uint8Array {
    const wide = this.#length > 2 ** 25;
    this.#narrow(wide ? 2 ** 24 : 2 ** 23, wide ? 2 ** 23 : 2 ** 15);
    return Uint8Array.from([...this.#bytes, 0, 0, ...(wide ? [0] : [])]);
  }

  #narrow(low: number, length: number): void {
    this.#base += low;
    if (this.#base >= 2 ** 32) {
      this.#base -= 2 ** 32;
      let at = this.#bytes.length - 1;
      while (this.#bytes[at] === 255) this.#bytes[at--] = 0;
      this.#bytes[at]!++;
    }
    this.#length = length;
    while (this.#length < 2 ** 24) {
      this.#bytes.push(this.#base >>> 24);
      this.#base = (this.#base << 8) >>> 0;
      this.#length = (this.#length << 8) >>> 0;
    }
  }
}
