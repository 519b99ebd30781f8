/**
 * Photos made difficult, as they come from real people: turned without a word in the EXIF, sent through a messenger at half
 * the size, compressed hard, exposed unlike, one without EXIF among others; cut, framed, with something printed on them.
 * The truth of a set stays as it was.
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
  /** Only the upper left three quarters of each side, so that the lens looks past the middle; nothing told of it. */
  cut: async ({ exifFocalPx, ...photo }) => {
    const [width, height] = [photo.widthPx, photo.heightPx].map((side) => Math.round(0.75 * side));
    return ownSize(await through(photo, "cut", (picture) => picture.extract({ left: 0, top: 0, width, height })));
  },
  /** A dark frame that is wider below than above. */
  framed: async ({ exifFocalPx, ...photo }) => {
    const part = (of) => Math.round(of * photo.widthPx);
    const frame = { top: part(0.075), bottom: part(0.125), left: part(0.0375), right: part(0.0375) };
    return ownSize(
      await through(photo, "framed", (picture) => picture.extend({ ...frame, background: "#101010" }), part(0.875)),
    );
  },
  /** A strip of noise on the lowest eighth, the same on all, as a dashboard is. */
  printed: async (photo) => {
    const rgb = sharedBytes(photo.rgb);
    let state = 1;
    const from = Math.round(0.875 * photo.heightPx);
    for (let y = from; y < photo.heightPx; y += PRINTED_PX) {
      for (let x = 0; x < photo.widthPx; x += PRINTED_PX) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        for (let dy = 0; dy < PRINTED_PX && y + dy < photo.heightPx; dy++) {
          const at = 3 * ((y + dy) * photo.widthPx + x);
          rgb.fill(state >>> 24, at, at + 3 * Math.min(PRINTED_PX, photo.widthPx - x));
        }
      }
    }
    return { ...photo, rgb, digest: `${photo.digest} printed` };
  },
  /** The middle quarter of each side at the old size, as by a long lens, and that told. */
  tele: async (photo, _i, focalPx) => {
    const [width, height] = [photo.widthPx, photo.heightPx].map((side) => Math.round(side / 4));
    const middle = { left: Math.round(1.5 * width), top: Math.round(1.5 * height), width, height };
    const near = await through(photo, "tele", (picture) => picture.extract(middle).resize(photo.widthPx));
    const { exifFocalPx = focalPx } = photo;
    return { ...near, ...(exifFocalPx && { exifFocalPx: 4 * exifFocalPx }) };
  },
};

/** Edge of the squares that are printed. */
const PRINTED_PX = 6;

/** @param names of `CHANGES`, made one after the other @param focalPx of the set's camera where it was measured */
export async function changed(photos, names, focalPx) {
  let all = photos;
  for (const name of names) all = await Promise.all(all.map((photo, i) => CHANGES[name](photo, i, focalPx)));
  return all;
}

const pictureOf = ({ rgb, widthPx, heightPx }) =>
  sharp(Buffer.from(rgb), { raw: { width: widthPx, height: heightPx, channels: 3 } });

/** A photo that was never any larger. */
const ownSize = (photo) => ({ ...photo, fullWidthPx: photo.widthPx, fullHeightPx: photo.heightPx });

/** @param shrunkTo its width before the change */
async function through(photo, tag, change, shrunkTo = photo.widthPx) {
  const picture = shrunkTo === photo.widthPx ? pictureOf(photo) : await shrunk(photo, shrunkTo);
  const { data, info } = await change(picture).raw().toBuffer({ resolveWithObject: true });
  const { width: widthPx, height: heightPx } = info;
  return { ...photo, rgb: sharedBytes(data), widthPx, heightPx, digest: `${photo.digest} ${tag}` };
}

async function shrunk(photo, widthPx) {
  const { data, info } = await pictureOf(photo).resize(widthPx).raw().toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: info });
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
