/** A decoded picture, and what others want of it: grey, RGB, JPEG; each made when asked for, not before. */

export type FrameColors = {
  /** Luma from 0 to 255 instead of 16 to 235. */
  readonly fullRange: boolean;
  /** ITU-R BT.709 instead of BT.601. */
  readonly bt709: boolean;
};

export type VideoFrame = {
  /** Of its access unit. */
  readonly timeNs: bigint;
  /** As it is shown, pixels; not yet turned by a container's rotation. */
  readonly width: number;
  readonly height: number;
  /** `width × height` luma, then two planes of half the size (rounded up) either way: U, V. */
  readonly i420: Uint8Array;
  readonly colors: FrameColors;
  readonly key: boolean;
  /** Nothing was lost or damaged since the last key picture, as far as sender, stream and decoder tell. */
  readonly trusted: boolean;
};

export type GrayPicture = { readonly width: number; readonly height: number; readonly pixels: Uint8Array };

export type Rotation = 0 | 90 | 180 | 270;

export function i420Bytes(width: number, height: number): number {
  return width * height + 2 * ((width + 1) >> 1) * ((height + 1) >> 1);
}

/** Luma, averaged over whole cells of pixels so that neither side is over `maxSide`. */
export function grayOf(frame: VideoFrame, maxSide: number): GrayPicture {
  const step = Math.max(1, Math.ceil(Math.max(frame.width, frame.height) / maxSide));
  const width = Math.floor(frame.width / step);
  const height = Math.floor(frame.height / step);
  const pixels = new Uint8Array(width * height);
  const { i420 } = frame;
  const area = step * step;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let row = 0, at = y * step * frame.width + x * step; row < step; row++, at += frame.width)
        for (let i = 0; i < step; i++) sum += i420[at + i]!;
      pixels[y * width + x] = (sum + (area >> 1)) / area;
    }
  }
  return { width, height, pixels };
}

/** sRGB as the stream means it, 3 bytes a pixel (ITU-T H.273: matrices 1 and 6). */
export function rgbOf(frame: VideoFrame): Uint8Array {
  const { width, height, i420, colors } = frame;
  const halfWidth = (width + 1) >> 1;
  const [kr, kb] = colors.bt709 ? [0.2126, 0.0722] : [0.299, 0.114];
  const kg = 1 - kr - kb;
  const lumaScale = colors.fullRange ? 1 : 255 / 219;
  const lumaZero = colors.fullRange ? 0 : 16;
  const chromaScale = colors.fullRange ? 1 : 255 / 224;
  const redOfV = 2 * (1 - kr) * chromaScale;
  const blueOfU = 2 * (1 - kb) * chromaScale;
  const greenOfV = (-redOfV * kr) / kg;
  const greenOfU = (-blueOfU * kb) / kg;
  const rgb = new Uint8ClampedArray(width * height * 3);
  const firstU = width * height;
  const firstV = firstU + halfWidth * ((height + 1) >> 1);
  for (let y = 0, at = 0, out = 0; y < height; y++) {
    const row = (y >> 1) * halfWidth;
    for (let x = 0; x < width; x++, at++, out += 3) {
      const u = i420[firstU + row + (x >> 1)]! - 128;
      const v = i420[firstV + row + (x >> 1)]! - 128;
      const luma = (i420[at]! - lumaZero) * lumaScale;
      rgb[out] = luma + redOfV * v;
      rgb[out + 1] = luma + greenOfU * u + greenOfV * v;
      rgb[out + 2] = luma + blueOfU * u;
    }
  }
  return new Uint8Array(rgb.buffer);
}

/** A JPEG without any metadata, turned clockwise by `rotation`. */
export async function jpegOf(
  frame: VideoFrame,
  options: { readonly quality?: number; readonly rotation?: Rotation } = {},
): Promise<Uint8Array> {
  const raw = { width: frame.width, height: frame.height, channels: 3 } as const;
  const rgb = rgbOf(frame); // before anything is waited for: whoever gave the frame may reuse it
  const { default: sharp } = await import("sharp"); // a native library that a server without video need not load
  const picture = sharp(rgb, { raw });
  if (options.rotation) picture.rotate(options.rotation);
  const quality = options.quality ?? 92;
  // Colours at full resolution cost a tenth more bytes and keep the edges that features are found at.
  return await picture.jpeg({ quality, chromaSubsampling: quality >= 90 ? "4:4:4" : "4:2:0" }).toBuffer();
}
