/** Bytes and halves of words as numbers that can be reckoned with: `load<u8>` gives a u8, which wraps when shifted. */

export function byteAt(address: u32): u32 {
  return load<u8>(address);
}

export function halfAt(address: u32): u32 {
  return load<u16>(address);
}
