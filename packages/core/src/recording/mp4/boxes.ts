/** Boxes of ISO base media files (ISO/IEC 14496-12): a size, a type of four letters, and what is in them; big-endian. */

export function box(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 8);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(sizeBytes);
  head.write(type, 4, "latin1");
  return Buffer.concat([head, ...parts], sizeBytes);
}

export function fullBox(type: string, version: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
  return box(type, u32(version * 2 ** 24 + flags), ...parts);
}

export function u8(...values: number[]): Buffer {
  return Buffer.from(values);
}

export function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, i * 2);
  return bytes;
}

export function u32(...values: number[]): Buffer {
  return u32List(values);
}

/** The same of many, which are too many for arguments. */
export function u32List(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (let i = 0; i < values.length; i++) bytes.writeUInt32BE(values[i]!, i * 4);
  return bytes;
}

export function u64List(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (let i = 0; i < values.length; i++) bytes.writeBigUInt64BE(BigInt(values[i]!), i * 8);
  return bytes;
}

export function u64(...values: number[]): Buffer {
  return u64List(values);
}

export function text(value: string): Buffer {
  return Buffer.from(value, "latin1");
}
