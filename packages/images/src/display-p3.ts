/**
 * Display P3 → sRGB, in place. HEIC is decoded without colour management, and shown as it is a P3 photo looks pale.
 * Both spaces share the sRGB curve, so only linear light changes basis (SMPTE EG 432-1 and IEC 61966-2-1 primaries).
 */
const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const v = i / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
});
const STEPS = 4096;
const ENCODED = Uint8Array.from({ length: STEPS + 1 }, (_, i) => {
  const v = i / STEPS;
  return Math.round(255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055));
});

/** @param rgb `[n, 3]` */
export function displayP3ToSrgb(rgb: Uint8Array): void {
  for (let i = 0; i + 2 < rgb.length; i += 3) {
    const r = LINEAR[rgb[i]!]!;
    const g = LINEAR[rgb[i + 1]!]!;
    const b = LINEAR[rgb[i + 2]!]!;
    rgb[i] = encode(1.2249402 * r - 0.2249402 * g);
    rgb[i + 1] = encode(-0.042057 * r + 1.042057 * g);
    rgb[i + 2] = encode(-0.0196376 * r - 0.0786361 * g + 1.0982737 * b);
  }
}

function encode(linear: number): number {
  return ENCODED[Math.round(Math.min(1, Math.max(0, linear)) * STEPS)]!;
}
