/** Numbers as bytes: what heads of packs and indexes are made of. The reader trusts nothing. */
import { CairnError } from "@cairn/protocol/errors";

/** Bytes that grow as they are written. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** A whole number from 0 to 2⁵³ − 1: seven bits a byte, lowest first, the top bit says that more follow. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} cannot be written`);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.u8((rest % 128) | 128);
    this.u8(rest);
  }

  /** A whole number of either sign: 0, −1, 1, −2, 2, … as 0, 1, 2, 3, 4, … */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** An even count of hex digits as bytes. */
  hex(digits: string): void {
    if (!/^([0-9a-f]{2})*$/.test(digits)) throw new RangeError(`${digits} is not hexadecimal`);
    for (let i = 0; i < digits.length; i += 2) this.u8(Number.parseInt(digits.slice(i, i + 2), 16));
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#length + more, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Reads what `ByteWriter` wrote. Every method throws `request.invalid` where the bytes end or make no sense. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #field: string;
  #at = 0;

  /** @param field named by the errors */
  constructor(bytes: Uint8Array, field: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#field = field;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fail(): never {
    throw new CairnError("request.invalid", { field: this.#field, atByte: this.#at });
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (!Number.isSafeInteger(value)) break;
      if (byte < 128) return value;
    }
    return this.fail();
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }

  hex(bytes: number): string {
    const from = this.#take(bytes);
    // At once: joined piece by piece, a text keeps all its pieces in memory for as long as it lives.
    const codes: number[] = [];
    for (let i = from; i < from + bytes; i++) codes.push(HEX[this.#bytes[i]! >> 4]!, HEX[this.#bytes[i]! & 15]!);
    return String.fromCharCode(...codes);
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#take(this.left));
  }

  #take(bytes: number): number {
    if (bytes > this.left) this.fail();
    const from = this.#at;
    this.#at += bytes;
    return from;
  }
}

const HEX = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
