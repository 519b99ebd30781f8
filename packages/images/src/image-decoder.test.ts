/**
 * Photos good and bad, through the real decoding process. Fixtures: `four-colours-*.heic`, 96 × 64, four flat
 * quarters, made with libheif's `heif-enc` from a JPEG with EXIF (35 mm equivalent 26) and one in Display P3.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { CairnError, type ErrorCode } from "@cairn/protocol";
import sharp from "sharp";
import { type ImageDecoder, openImageDecoder } from "./image-decoder.ts";

const fixture = (name: string) => readFile(new URL(`../fixtures/${name}`, import.meta.url));

/** Four flat quarters: red, green / blue, yellow. `[64, 96, 3]` */
const COLOURS = [
  [220, 30, 30],
  [30, 200, 40],
  [40, 60, 220],
  [230, 210, 40],
] as const;
const W = 96;
const H = 64;

function fourColours() {
  const rgb = Buffer.alloc(W * H * 3);
  for (let y = 0; y < H; y++) {
    for (let x = 0; x < W; x++) rgb.set(COLOURS[(x < W / 2 ? 0 : 1) + (y < H / 2 ? 0 : 2)]!, (y * W + x) * 3);
  }
  return sharp(rgb, { raw: { width: W, height: H, channels: 3 } });
}

/** The quarters as a Windows bitmap. */
function bitmap({
  bits,
  masked = false,
  topDown = false,
}: {
  bits: number;
  masked?: boolean;
  topDown?: boolean;
}): Buffer {
  const palette = bits <= 8 ? COLOURS.flatMap(([r, g, b]) => [b, g, r, 0]) : [];
  const masks = masked ? [0xf800, 0x07e0, 0x001f] : [];
  const pixelsAt = 54 + palette.length + 4 * masks.length;
  const stride = Math.ceil((W * bits) / 32) * 4;
  const bytes = Buffer.alloc(pixelsAt + stride * H);
  bytes.write("BM", 0, "latin1");
  bytes.writeUInt32LE(bytes.length, 2);
  bytes.writeUInt32LE(pixelsAt, 10);
  bytes.writeUInt32LE(40, 14);
  bytes.writeInt32LE(W, 18);
  bytes.writeInt32LE(topDown ? -H : H, 22);
  bytes.writeUInt16LE(1, 26);
  bytes.writeUInt16LE(bits, 28);
  bytes.writeUInt32LE(masked ? 3 : 0, 30);
  bytes.writeUInt32LE(palette.length / 4, 46);
  bytes.set(palette, 54);
  for (const [i, mask] of masks.entries()) bytes.writeUInt32LE(mask, 54 + 4 * i);
  for (let y = 0; y < H; y++) {
    const row = pixelsAt + (topDown ? y : H - 1 - y) * stride;
    for (let x = 0; x < W; x++) {
      const quarter = (x < W / 2 ? 0 : 1) + (y < H / 2 ? 0 : 2);
      const [r, g, b] = COLOURS[quarter]!;
      if (bits === 4) bytes[row + (x >> 1)]! |= quarter << (x % 2 ? 0 : 4);
      else if (bits === 16) bytes.writeUInt16LE(((r >> 3) << 11) | ((g >> 2) << 5) | (b >> 3), row + 2 * x);
      else bytes.set([b, g, r], row + (bits / 8) * x);
    }
  }
  return bytes;
}

/** A photo with detail, so that its file has a body to cut. */
function noise(width: number, height: number) {
  let seed = 7;
  const rgb = Buffer.alloc(width * height * 3, 0).map(() => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return seed >>> 24;
  });
  return sharp(rgb, { raw: { width, height, channels: 3 } });
}

async function refusal(work: Promise<unknown>): Promise<ErrorCode | "accepted"> {
  try {
    await work;
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof CairnError, String(error));
    return error.code;
  }
}

/** Colours at the middle of the four quarters, each within `tolerance` levels. */
function assertQuarters(image: { rgb: Uint8Array; widthPx: number; heightPx: number }, tolerance: number): void {
  for (let q = 0; q < 4; q++) {
    const x = Math.floor(image.widthPx * (q % 2 ? 0.75 : 0.25));
    const y = Math.floor(image.heightPx * (q < 2 ? 0.25 : 0.75));
    for (let c = 0; c < 3; c++) {
      const got = image.rgb[(y * image.widthPx + x) * 3 + c]!;
      assert.ok(Math.abs(got - COLOURS[q]![c]!) <= tolerance, `quarter ${q} channel ${c}: ${got}`);
    }
  }
}

describe("photos", () => {
  let decoder: ImageDecoder;
  before(() => {
    decoder = openImageDecoder();
  });
  after(() => decoder.close());

  for (const [form, make] of Object.entries({
    jpeg: () => fourColours().jpeg({ quality: 95, chromaSubsampling: "4:4:4" }),
    png: () => fourColours().png(),
    webp: () => fourColours().webp({ quality: 95 }),
    "png16 (16 bits a channel)": () => fourColours().toColourspace("rgb16").png(),
    "jpeg in Display P3": () => fourColours().withIccProfile("p3").jpeg({ quality: 95, chromaSubsampling: "4:4:4" }),
    "png with alpha": () => fourColours().ensureAlpha().png(),
    gif: () => fourColours().gif(),
    tiff: () => fourColours().tiff(),
    "progressive jpeg": () => fourColours().jpeg({ progressive: true, quality: 95, chromaSubsampling: "4:4:4" }),
  })) {
    test(`GEN-30 ${form} decodes to upright 8-bit sRGB`, async () => {
      const bytes = await make().toBuffer();
      const facts = await decoder.inspect(bytes);
      assert.deepEqual([facts.width, facts.height, facts.sizeBytes], [W, H, bytes.length]);
      const image = await decoder.decode(bytes, { maxSidePx: 1600 });
      assert.equal(image.rgb.length, W * H * 3);
      assertQuarters(image, 4);
    });
  }

  test("GEN-30 BMP decodes: 24 and 32 bits, masks, a palette, rows from the bottom or the top", async () => {
    for (const form of [
      { bits: 24 },
      { bits: 32 },
      { bits: 16, masked: true },
      { bits: 4 },
      { bits: 24, topDown: true },
    ]) {
      const bytes = bitmap(form);
      const facts = await decoder.inspect(bytes);
      assert.deepEqual([facts.mediaType, facts.width, facts.height], ["image/bmp", W, H]);
      assertQuarters(await decoder.decode(bytes, { maxSidePx: 1600 }), form.bits === 16 ? 9 : 4);
      assert.equal(await refusal(decoder.inspect(bytes.subarray(0, bytes.length - 40))), "image.corrupt");
    }
    const coded = bitmap({ bits: 4 });
    coded.writeUInt32LE(2, 30);
    assert.equal(await refusal(decoder.inspect(coded)), "image.unsupported");
    const vast = bitmap({ bits: 24 });
    vast.writeInt32LE(2 ** 30, 18);
    assert.equal(await refusal(decoder.inspect(vast)), "image.too_large");
  });

  test("GEN-30 HEIC decodes, in sRGB and from Display P3", async () => {
    for (const name of ["four-colours-srgb.heic", "four-colours-p3.heic"]) {
      const bytes = await fixture(name);
      const facts = await decoder.inspect(bytes);
      assert.deepEqual([facts.mediaType, facts.width, facts.height], ["image/heic", W, H]);
      assertQuarters(await decoder.decode(bytes, { maxSidePx: 1600 }), 6);
      const edited = await decoder.edit(bytes, { name: "resize", width: W, height: H });
      assert.equal(edited.mediaType, "image/jpeg");
      assertQuarters(await decoder.decode(edited.bytes, { maxSidePx: 1600 }), 8);
    }
  });

  test("GEN-30 CMYK JPEG becomes RGB", async () => {
    const bytes = await fourColours().toColourspace("cmyk").jpeg({ quality: 95 }).toBuffer();
    assert.equal((await sharp(bytes).metadata()).space, "cmyk");
    const image = await decoder.decode(bytes, { maxSidePx: 1600 });
    assert.equal(image.rgb.length, W * H * 3);
    // Inks hold fewer colours than light: which channels are strong is all that can be asked.
    const strong = COLOURS.map((_, q) => {
      const at = ((q < 2 ? 16 : 48) * W + (q % 2 ? 72 : 24)) * 3;
      return Array.from(image.rgb.subarray(at, at + 3), (level) => level > 120);
    });
    assert.deepEqual(
      strong,
      COLOURS.map((colour) => colour.map((level) => level > 120)),
    );
  });

  test("GEN-30 grey becomes three equal channels", async () => {
    const bytes = await fourColours().toColourspace("b-w").png().toBuffer();
    const { rgb } = await decoder.decode(bytes, { maxSidePx: 1600 });
    assert.equal(rgb.length, W * H * 3);
    for (let i = 0; i < rgb.length; i += 3) assert.ok(rgb[i] === rgb[i + 1] && rgb[i] === rgb[i + 2]);
  });

  test("GEN-30 every EXIF orientation is applied exactly once", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      // Turn the upright picture the other way, then say how it must be turned back.
      const quarterTurn = { 5: 90, 6: 270, 7: 270, 8: 90 }[orientation] ?? (orientation === 3 ? 180 : 0);
      const upright = await fourColours().png().toBuffer();
      const turned = await sharp(upright).rotate(quarterTurn).png().toBuffer();
      const stored = await sharp(turned)
        .flop([2, 5, 7].includes(orientation))
        .flip(orientation === 4)
        .withMetadata({ orientation })
        .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
        .toBuffer();
      assert.equal((await sharp(stored).metadata()).width, orientation >= 5 ? H : W);
      const facts = await decoder.inspect(stored);
      assert.deepEqual([facts.orientation, facts.width, facts.height], [orientation, W, H]);
      assertQuarters(await decoder.decode(stored, { maxSidePx: 1600 }), 4);
      const small = await sharp(await decoder.thumbnail(stored, 48)).metadata();
      assert.deepEqual([small.width, small.height, small.orientation], [48, 32, undefined]);
    }
  });

  test("a photo is made smaller to the side asked for, never larger", async () => {
    const bytes = await fourColours().png().toBuffer();
    const image = await decoder.decode(bytes, { maxSidePx: 30 });
    assert.deepEqual([image.widthPx, image.heightPx, image.fullWidthPx, image.fullHeightPx], [30, 20, W, H]);
    assert.equal((await decoder.decode(bytes, { maxSidePx: 500 })).widthPx, W);
  });

  test("a photo is made smaller by its long side and about its middle, where its short side must be rounded", async () => {
    const [width, height, row] = [1500, 1000, 970];
    const rgb = Buffer.alloc(width * height * 3);
    // Softly lit around one row, near the lower edge.
    for (let at = 0; at < rgb.length; at++) {
      const off = Math.floor(at / (3 * width)) + 0.5 - row;
      rgb[at] = Math.round(250 * Math.exp(-(off * off) / 128));
    }
    const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const small = await decoder.decode(png, { maxSidePx: 400 });
    assert.deepEqual([small.widthPx, small.heightPx], [400, 267]);
    let [light, moment] = [0, 0];
    for (let y = 0; y < small.heightPx; y++) {
      const value = small.rgb[3 * small.widthPx * y]!;
      light += value;
      moment += value * (y + 0.5);
    }
    const expected = ((row - height / 2) * 400) / width + small.heightPx / 2;
    assert.ok(Math.abs(moment / light - expected) < 0.02, `${moment / light}, not ${expected}`);
  });

  test("EXIF gives focal length, place and time", async () => {
    const facts = await decoder.inspect(await fixture("four-colours-srgb.heic"));
    assert.ok(Math.abs(facts.focalPx! - (26 / 43.27) * Math.hypot(W, H)) < 1e-9);
    assert.deepEqual(facts.gps, { latitudeDeg: 41.5, longitudeDeg: 2.1 });
    assert.equal(facts.capturedNs, `${Date.UTC(2025, 5, 7, 6, 9, 10) / 1000}125000000`);
  });

  test("EXIF that lies is left out, and the decoder's size wins", async () => {
    const lies = await fourColours()
      .withExif({
        IFD0: { ImageWidth: "100", ImageLength: "100" },
        IFD2: { FocalLengthIn35mmFilm: "65000", DateTimeOriginal: "0000:00:00 00:00:00", PixelXDimension: "9" },
        IFD3: { GPSLatitudeRef: "N", GPSLatitude: "999/1 0/1 0/1", GPSLongitudeRef: "E", GPSLongitude: "5/1 0/1 0/1" },
      })
      .jpeg()
      .toBuffer();
    const facts = await decoder.inspect(lies);
    assert.deepEqual([facts.width, facts.height], [W, H]);
    assert.deepEqual([facts.focalPx, facts.gps, facts.capturedNs], [undefined, undefined, undefined]);
  });

  for (const when of ["2300:01:01 10:00:00", "9999:12:31 23:59:59"]) {
    test(`a photo dated ${when.slice(0, 4)}, which nanoseconds in 19 digits do not reach, has no time`, async () => {
      const photo = await fourColours()
        .withExif({ IFD2: { DateTimeOriginal: when } })
        .jpeg()
        .toBuffer();
      assert.equal((await decoder.inspect(photo)).capturedNs, undefined);
    });
  }

  test("the focal plane's resolution gives the focal length where no 35 mm equivalent does", async () => {
    const bytes = await fourColours()
      .withExif({
        IFD2: {
          FocalLength: "50/1",
          FocalPlaneXResolution: "1000/10",
          FocalPlaneResolutionUnit: "4",
        },
      })
      .jpeg()
      .toBuffer();
    // libvips writes the size it knows; make it say that the photo was 50 times as large when it left the camera.
    const width = bytes.indexOf(Buffer.from([0x02, 0xa0, 0x04, 0x00, 1, 0, 0, 0]));
    assert.ok(width > 0);
    assert.equal(bytes.readUInt32LE(width + 8), W);
    bytes.writeUInt32LE(W * 50, width + 8);
    assert.equal((await decoder.inspect(bytes)).focalPx, (50 * 100) / 50);
  });

  describe("the sensor that make and model tell", () => {
    const RX100 = { Make: "SONY", Model: "DSC-RX100" };
    const FOCAL = { FocalLength: "10/1" };
    type Size = { width: number; height: number };
    /** libvips writes the size it knows; `left` is the one that the photo had when it left the camera. */
    const focalOf = async (
      { IFD0 = RX100, IFD2 = FOCAL }: { IFD0?: Record<string, string>; IFD2?: Record<string, string> },
      { width, height }: Size = { width: W, height: H },
      left?: Size,
    ) => {
      const photo = sharp({ create: { width, height, channels: 3, background: "grey" } });
      const bytes = await photo.withExif({ IFD0, IFD2 }).jpeg().toBuffer();
      for (const [tag, value] of left ? [[2, left.width] as const, [3, left.height] as const] : []) {
        const at = bytes.indexOf(Buffer.from([tag, 0xa0, 0x04, 0x00, 1, 0, 0, 0]));
        assert.ok(at > 0);
        bytes.writeUInt32LE(value, at + 8);
      }
      return (await decoder.inspect(bytes)).focalPx;
    };
    const close = (focalPx: number | undefined, expected: number) =>
      assert.ok(focalPx && Math.abs(focalPx / expected - 1) < 1e-9, `${focalPx}, not ${expected}`);

    test("gives the focal length where no other tag does, of a smaller copy, too", async () => {
      close(await focalOf({}), (10 / 13.2) * W);
      close(await focalOf({}, { width: H, height: W }), (10 / 13.2) * W);
      close(
        await focalOf({}, { width: 640, height: 427 }, { width: 5472, height: 3648 }),
        Math.max((10 / 13.2) * 640, (10 / 8.8) * 427),
      );
      close(await focalOf({ IFD2: { ...FOCAL, FocalLengthIn35mmFilm: "26" } }), (26 / 43.27) * Math.hypot(W, H));
      const plane = { FocalPlaneXResolution: "8", FocalPlaneResolutionUnit: "4" };
      close(await focalOf({ IFD2: { ...FOCAL, ...plane } }), 80);
    });

    test("covers a photo of another shape in height, or in width", async () => {
      close(await focalOf({}, { width: 80, height: 80 }), (10 / 8.8) * 80);
      close(await focalOf({}, { width: 160, height: 90 }), (10 / 13.2) * 160);
    });

    test("tells nothing of a photo that was cut, stitched, zoomed into, or taken without a word about the lens", async () => {
      const camera = { width: 5472, height: 3648 };
      assert.equal(await focalOf({}, { width: 96, height: 72 }, camera), undefined);
      assert.equal(await focalOf({}, { width: 96, height: 80 }, { width: 96, height: 80 }), undefined);
      assert.equal(await focalOf({}, { width: 300, height: 80 }), undefined);
      assert.equal(await focalOf({}, { width: 192, height: 128 }, { width: 96, height: 64 }), undefined);
      assert.equal(await focalOf({ IFD2: { ...FOCAL, DigitalZoomRatio: "2/1" } }), undefined);
      assert.equal(await focalOf({ IFD2: {} }), undefined);
      assert.equal(await focalOf({ IFD2: { FocalLength: "0/1" } }), undefined);
      assert.equal(await focalOf({ IFD0: { Model: "DSC-RX100" } }), undefined);
      assert.equal(await focalOf({ IFD0: { Make: "SONY", Model: "DSC-RX99" } }), undefined);
    });
  });

  test("GEN-30 a photo cut off at any 64th of its length is refused", async () => {
    const files = {
      jpeg: await noise(120, 80).jpeg().toBuffer(),
      progressive: await noise(120, 80).jpeg({ progressive: true }).toBuffer(),
      png: await noise(120, 80).png().toBuffer(),
      webp: await noise(120, 80).webp().toBuffer(),
      heic: await fixture("four-colours-srgb.heic"),
    };
    for (const [form, bytes] of Object.entries(files)) {
      assert.equal(await refusal(decoder.inspect(bytes)), "accepted", form);
      for (let part = 0; part < 64; part++) {
        const cut = Math.floor((bytes.length * part) / 64);
        const code = await refusal(decoder.inspect(bytes.subarray(0, cut)));
        assert.match(code, /^image\.(empty|unsupported|corrupt)$/, `${form} cut at ${cut} of ${bytes.length}`);
      }
    }
  });

  test("GEN-30 what is not a photo is refused by its content", async () => {
    const refused: [string, Uint8Array, ErrorCode][] = [
      ["nothing", Buffer.alloc(0), "image.empty"],
      ["one byte", Buffer.from([0xff]), "image.unsupported"],
      ["a start of JPEG", Buffer.from([0xff, 0xd8]), "image.unsupported"],
      ["zeros", Buffer.alloc(100_000), "image.unsupported"],
      ["text", Buffer.from("hello"), "image.unsupported"],
      ["SVG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), "image.unsupported"],
      ["GIF's start only", Buffer.from("GIF89a"), "image.corrupt"],
      ["TIFF's start only", Buffer.from("II*\0\x08\0\0\0", "latin1"), "image.corrupt"],
      ["PDF", Buffer.from("%PDF-1.7\n"), "image.unsupported"],
      ["AVIF", Buffer.from("\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "latin1"), "image.unsupported"],
      ["JPEG's start, SVG's body", Buffer.from("\xff\xd8\xff<svg width='9' height='9'/>", "latin1"), "image.corrupt"],
      ["HEIC's start only", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"), "image.corrupt"],
    ];
    for (const [what, bytes, code] of refused) assert.equal(await refusal(decoder.inspect(bytes)), code, what);
  });

  test("GEN-30 too many pixels or bytes are refused before anything is decoded", async () => {
    const black = (width: number, height: number) =>
      sharp(Buffer.alloc(width * height), { raw: { width, height, channels: 1 } })
        .png()
        .toBuffer();
    const bomb = await black(20_000, 10_000);
    assert.ok(bomb.length < 2 ** 20, "a bomb is small");
    assert.equal(await refusal(decoder.inspect(bomb)), "image.too_large");
    // Who decodes finds that the end is missing, as of a photo that is not too large: a bomb is refused by its header.
    const cutOff = (png: Buffer) => png.subarray(0, png.length / 2);
    assert.equal(await refusal(decoder.inspect(cutOff(await black(9000, 9000)))), "image.corrupt");
    assert.equal(await refusal(decoder.inspect(cutOff(bomb))), "image.too_large");

    const heic = Buffer.from(await fixture("four-colours-srgb.heic"));
    heic.writeUInt32BE(30_000, heic.indexOf("ispe") + 8);
    heic.writeUInt32BE(30_000, heic.indexOf("ispe") + 12);
    assert.equal(await refusal(decoder.inspect(heic)), "image.too_large");

    const large = Buffer.alloc(64 * 2 ** 20 + 1);
    large.set([0xff, 0xd8, 0xff]);
    assert.equal(await refusal(decoder.inspect(large)), "image.too_large");
  });
});

describe("a hostile photo", () => {
  const photo = (act: number) => Uint8Array.from([0xff, 0xd8, 0xff, act]);
  const open = (options: { deadlineMs?: number; processes?: number; maxWaiting?: number }) =>
    openImageDecoder({ processes: 1, entry: new URL("./test/hostile-child.js", import.meta.url), ...options });

  test("GEN-30 that hangs or kills its process costs its own request and no other", async (t) => {
    const decoder = open({ deadlineMs: 1500 });
    t.after(() => decoder.close());
    const codes = await Promise.all([0, 1, 0, 2, 0, 3, 0].map((act) => refusal(decoder.inspect(photo(act)))));
    assert.deepEqual(codes, [
      "accepted",
      "image.too_slow",
      "accepted",
      "image.corrupt",
      "accepted",
      "accepted",
      "accepted",
    ]);
  });

  test("waiting photos are bounded, and one that is given up frees its place", async (t) => {
    const decoder = open({ deadlineMs: 1500, maxWaiting: 1 });
    t.after(() => decoder.close());
    const hanging = refusal(decoder.inspect(photo(1)));
    const stop = new AbortController();
    const waiting = decoder.inspect(photo(0), stop.signal).catch((error: unknown) => error);
    assert.equal(await refusal(decoder.inspect(photo(0))), "upload.too_many");
    const why = new Error("gone");
    stop.abort(why);
    assert.equal(await waiting, why);
    const next = refusal(decoder.inspect(photo(0)));
    assert.deepEqual([await hanging, await next], ["image.too_slow", "accepted"]);
  });

  test("closing refuses what waits and what comes", async () => {
    const decoder = open({ deadlineMs: 5000 });
    const running = refusal(decoder.inspect(photo(1)));
    const waiting = refusal(decoder.inspect(photo(0)));
    await decoder.close();
    assert.equal(await waiting, "server.stopping");
    assert.equal(await running, "server.stopping");
    assert.equal(await refusal(decoder.inspect(photo(0))), "server.stopping");
  });
});
