/**
 * Photos made difficult, as they come from real people: turned without a word in the EXIF, sent through a messenger at half
 * the size, compressed hard, exposed unlike, one without EXIF among others. The truth of a set stays as it was.
 */
import sharp from "sharp";

/** Of each: what becomes of the photo at place `i`, decoded as `readPhotos` gives it. */
export const CHANGES = {
  /** One upright, one on its side, one upside down, in turn. */
  turned: async (photo, i) => {
    const degrees = [0, 90, 180][i % 3];
    const [width, height] = [photo.fullWidthPx, photo.fullHeightPx];
    return {
      ...(await through(photo, `turned ${degrees}`, (picture) => picture.rotate(degrees))),
      fullWidthPx: degrees === 90 ? height : width,
      fullHeightPx: degrees === 90 ? width : height,
    };
  },
  /** Every second at half the size, and nothing told of its lens. */
  half: async (photo, i) => {
    if (i % 2 === 1) return photo;
    const { exifFocalPx, ...halved } = await through(photo, "half", (picture) =>
      picture.resize(Math.round(photo.widthPx / 2), Math.round(photo.heightPx / 2), { fit: "fill" }),
    );
    return { ...halved, fullWidthPx: halved.widthPx, fullHeightPx: halved.heightPx };
  },
  /** JPEG of quality 40. */
  coarse: async (photo) => {
    const jpeg = await pictureOf(photo).jpeg({ quality: 40 }).toBuffer();
    return through(photo, "coarse", () => sharp(jpeg));
  },
  /** One stop more, as it was, one stop less, in turn. */
  exposed: async (photo, i) => {
    const gain = [2, 1, 0.5][i % 3];
    const table = Uint8Array.from({ length: 256 }, (_, value) => encoded(gain * linear(value / 255)));
    return {
      ...photo,
      rgb: sharedBytes(photo.rgb.map((value) => table[value])),
      digest: `${photo.digest} exposed ${gain}`,
    };
  },
  /** EXIF that is 4 % long in all photos but the third, which has none. */
  untold: async ({ exifFocalPx, ...photo }, i, focalPx) => {
    const told = exifFocalPx ?? (focalPx && 1.04 * focalPx);
    return i === 2 || told === undefined ? photo : { ...photo, exifFocalPx: told };
  },
};

/** @param names of `CHANGES`, made one after the other @param focalPx of the set's camera where it was measured */
export async function changed(photos, names, focalPx) {
  let all = photos;
  for (const name of names) all = await Promise.all(all.map((photo, i) => CHANGES[name](photo, i, focalPx)));
  return all;
}

const pictureOf = ({ rgb, widthPx, heightPx }) =>
  sharp(Buffer.from(rgb), { raw: { width: widthPx, height: heightPx, channels: 3 } });

async function through(photo, tag, change) {
  const { data, info } = await change(pictureOf(photo)).raw().toBuffer({ resolveWithObject: true });
  const { width: widthPx, height: heightPx } = info;
  return { ...photo, rgb: sharedBytes(data), widthPx, heightPx, digest: `${photo.digest} ${tag}` };
}

function sharedBytes(bytes) {
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function encoded(light) {
  const value = Math.min(1, light);
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
