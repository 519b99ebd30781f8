/**
 * The table of a LAZ file's chunks: how many points and bytes each has. It is entropy coded itself.
 * Source: M. Isenburg, "LASzip: lossless compression of LiDAR data" (2013), and its arithmetic coder after A. Said,
 * "FastAC" (2004).
 */
import { BitModel, SymbolModel } from "./laz-models.ts";
import { refuse } from "./point-source.ts";

const MIN_LENGTH = 2 ** 24;

class ArithmeticDecoder {
  readonly #bytes: Uint8Array;
  #at = 4;
  #value: number;
  #length = 2 ** 32 - 1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#value = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  }

  symbol(model: SymbolModel): number {
    const { distribution, symbols } = model;
    let high = this.#length;
    this.#length >>>= 15;
    let [symbol, end] = [0, symbols];
    for (let middle = end >> 1; middle !== symbol; middle = (symbol + end) >> 1) {
      const edge = this.#length * distribution[middle]!;
      if (edge > this.#value) {
        end = middle;
        high = edge;
      } else symbol = middle;
    }
    const low = this.#length * distribution[symbol]!;
    this.#narrow(low, high - low);
    model.counts[symbol]!++;
    if (--model.untilUpdate === 0) model.update();
    return symbol;
  }

  bit(model: BitModel): number {
    const edge = model.zeroProbability * (this.#length >>> 13);
    const bit = this.#value >= edge ? 1 : 0;
    if (bit === 0) model.zeros++;
    this.#narrow(bit === 0 ? 0 : edge, bit === 0 ? edge : this.#length - edge);
    if (--model.untilUpdate === 0) model.update();
    return bit;
  }

  bits(count: number): number {
    if (count > 19) {
      const low = this.bits(16);
      return this.bits(count - 16) * 2 ** 16 + low;
    }
    this.#length >>>= count;
    const value = Math.floor(this.#value / this.#length);
    this.#narrow(value * this.#length, this.#length);
    return value;
  }

  #narrow(low: number, length: number): void {
    this.#value -= low;
    this.#length = length;
    while (this.#length < MIN_LENGTH) {
      if (this.#at >= this.#bytes.length + 8) throw refuse("laz", "its table of chunks is cut off");
      this.#value = ((this.#value << 8) | (this.#bytes[this.#at++] ?? 0)) >>> 0;
      this.#length = (this.#length << 8) >>> 0;
      if (this.#length === 0) throw refuse("laz", "its table of chunks is damaged");
    }
  }
}

/** 32-bit numbers as differences from a prediction: the class of the difference's size, then its bits. */
class IntegerDecoder {
  readonly #decoder: ArithmeticDecoder;
  readonly #classes = [new SymbolModel(33), new SymbolModel(33)];
  readonly #bit = new BitModel();
  readonly #corrections = Array.from({ length: 33 }, (_, k) => new SymbolModel(2 ** Math.min(Math.max(k, 1), 8)));

  constructor(decoder: ArithmeticDecoder) {
    this.#decoder = decoder;
  }

  next(predicted: number, context: 0 | 1): number {
    return (predicted + this.#correction(context)) >>> 0;
  }

  #correction(context: 0 | 1): number {
    const k = this.#decoder.symbol(this.#classes[context]!);
    if (k === 0) return this.#decoder.bit(this.#bit);
    if (k === 32) return -(2 ** 31);
    let value = this.#decoder.symbol(this.#corrections[k]!);
    if (k > 8) value = value * 2 ** (k - 8) + this.#decoder.bits(k - 8);
    return value >= 2 ** (k - 1) ? value + 1 : value - (2 ** k - 1);
  }
}

export type LazChunk = { readonly points: number; readonly sizeBytes: number };

/**
 * @param bytes the coded entries, after the table's version and count @param chunkPoints of every chunk;
 * `undefined` when each entry says its own
 */
export function readChunkTable(bytes: Uint8Array, count: number, chunkPoints: number | undefined): LazChunk[] {
  const decoder = new IntegerDecoder(new ArithmeticDecoder(bytes));
  const chunks: LazChunk[] = [];
  let [points, sizeBytes] = [0, 0];
  for (let i = 0; i < count; i++) {
    points = chunkPoints ?? decoder.next(points, 0);
    sizeBytes = decoder.next(sizeBytes, 1);
    chunks.push({ points, sizeBytes });
  }
  return chunks;
}
