/**
 * COLOR_0 is linear by the specification, photos are sRGB. Eight bits of linear light keep 183 of 256 sRGB levels, and
 * those that go are the dark ones; so the last bit is dithered, and an area keeps its mean.
 */

/** sRGB byte→linear light, 0…1 (IEC 61966-2-1). */
function linearOf(srgb: number): number {
  const value = srgb / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

/** Linear light in steps of 1/256 of a byte: adding 0…255 and dropping 8 bits rounds with dither. */
export const FINE_LINEAR: Uint32Array = Uint32Array.from({ length: 256 }, (_, srgb) =>
  Math.min(65280, Math.round(linearOf(srgb) * 65280)),
);

/** 0…255, the same for the same place, and for all three channels of a point: what is grey stays grey. */
export function ditherOf(x: number, y: number, z: number): number {
  let hash = Math.imul(x, 0x9e3779b1) ^ Math.imul(y, 0x85ebca6b) ^ Math.imul(z, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash >>> 16) & 255;
}

const SRGB = Uint8Array.from({ length: 65536 }, (_, i) => {
  const linear = i / 65535;
  return Math.round(255 * (linear <= 0.0031308 ? linear * 12.92 : 1.055 * linear ** (1 / 2.4) - 0.055));
});

/** Linear light, 0…1 or beyond→sRGB byte. NaN is black. */
export function srgbOf(linear: number): number {
  return SRGB[linear >= 1 ? 65535 : linear > 0 ? Math.round(linear * 65535) : 0]!;
}
