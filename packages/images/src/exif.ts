/** What a camera wrote about the photo. Every field may lie; one that makes no sense is left out, never guessed. */
import type { Gps, TimeNs } from "@cairn/protocol";
import ExifReader from "exifreader";
import { sensorOf } from "./sensor-table.ts";

type ExifFacts = {
  focalPx?: number;
  gps?: Gps;
  capturedNs?: TimeNs;
};

/** Diagonal of the 36 × 24 mm frame that "35 mm equivalent" refers to (CIPA DCG-001: equal diagonal angle of view). */
const FULL_FRAME_DIAGONAL_MM = 43.27;

/** Longer than any tele lens, shorter than any fisheye that a pinhole model fits: parts of the long side. */
const FOCAL_RANGE = { min: 0.2, max: 30 };

/** What `TimeNs` has room for: up to November 2286. */
const TIME_DIGITS = 19;

type Tags = ExifReader.ExpandedTags;

/** @param width,height upright size of the decoded photo: the decoder's word counts, not the tags' */
export function readExif(bytes: Uint8Array, width: number, height: number): ExifFacts {
  const tags = loadTags(bytes);
  if (!tags) return {};
  const facts: ExifFacts = {};
  const focalPx = readFocal(tags, width, height);
  const gps = readGps(tags);
  const capturedNs = readCaptured(tags);
  if (focalPx !== undefined) facts.focalPx = focalPx;
  if (gps) facts.gps = gps;
  if (capturedNs !== undefined) facts.capturedNs = capturedNs;
  return facts;
}

/** Tags by name, as a person reads them. */
export type ExifTexts = Readonly<Record<string, string>>;

const MAX_TAGS = 200;
const MAX_TEXT = 500;

export function readExifTexts(bytes: Uint8Array): ExifTexts {
  const tags = loadTags(bytes)?.exif ?? {};
  const texts = Object.entries(tags).flatMap(([name, tag]): [string, string][] => {
    const described: unknown = tag !== null && typeof tag === "object" && "description" in tag && tag.description;
    // Blobs of a maker's own, and offsets into the file, say nothing to anybody.
    if (typeof described !== "string" || described === "" || /MakerNote|Pointer|^undefined-/.test(name)) return [];
    return [[name, described.slice(0, MAX_TEXT)]];
  });
  return Object.fromEntries(texts.slice(0, MAX_TAGS));
}

function loadTags(bytes: Uint8Array): Tags | undefined {
  try {
    return ExifReader.load(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { expanded: true });
  } catch {
    return undefined;
  }
}

function readFocal(tags: Tags, width: number, height: number): number | undefined {
  const longSide = Math.max(width, height);
  const sane = (px: number) => px >= FOCAL_RANGE.min * longSide && px <= FOCAL_RANGE.max * longSide;

  const equivalentMm = number(tags, "FocalLengthIn35mmFilm");
  const byEquivalent = (equivalentMm / FULL_FRAME_DIAGONAL_MM) * Math.hypot(width, height);
  if (sane(byEquivalent)) return byEquivalent;

  // The focal plane resolution counts pixels of the photo as it left the camera; it may have been made smaller since.
  const unitMm = { 2: 25.4, 3: 10, 4: 1, 5: 0.001 }[number(tags, "FocalPlaneResolutionUnit")] ?? 25.4;
  const original = Math.max(number(tags, "PixelXDimension"), number(tags, "PixelYDimension"));
  const shrunk = Number.isFinite(original) && original > 0 ? longSide / original : 1;
  const byPlane = (number(tags, "FocalLength") * number(tags, "FocalPlaneXResolution") * shrunk) / unitMm;
  if (sane(byPlane)) return byPlane;

  const byTable = number(tags, "FocalLength") / pixelMm(tags, width, height);
  return sane(byTable) ? byTable : undefined;
}

/** The shapes that cameras take photos in; another one was cut, or put together from several. */
const SHAPES = [1, 5 / 4, 4 / 3, 3 / 2, 16 / 9];
/** Sensors are a few rows more or less than their shape says: 4288 × 2848, 3872 × 2592. */
const SHAPE_TOLERANCE = 0.006;

/** How much of the camera's sensor one pixel of the photo is, by the table; NaN when that is not known. */
function pixelMm(tags: Tags, width: number, height: number): number {
  const sensor = sensorOf(text(tags, "Make"), text(tags, "Model"));
  if (!sensor || number(tags, "DigitalZoomRatio") > 1 || wasCut(tags, width, height)) return Number.NaN;
  // A photo of another shape than the sensor's is as wide as it, or as high.
  return Math.min(sensor.widthMm / Math.max(width, height), sensor.heightMm / Math.min(width, height));
}

/** Whether the photo shows less than the camera saw, as far as its size tells. A smaller copy shows all of it. */
function wasCut(tags: Tags, width: number, height: number): boolean {
  const [short, long] = width < height ? [width, height] : [height, width];
  const shape = long / short;
  if (!SHAPES.some((usual) => Math.abs(shape - usual) <= SHAPE_TOLERANCE * usual + 1 / short)) return true;
  const [x, y] = [number(tags, "PixelXDimension"), number(tags, "PixelYDimension")];
  if (!(x > 0 && y > 0)) return false;
  const written = Math.max(x, y);
  return long > written + 1 || Math.abs((long / written) * Math.min(x, y) - short) > 1;
}

function readGps(tags: Tags): Gps | undefined {
  const latitudeDeg = tags.gps?.Latitude ?? Number.NaN;
  const longitudeDeg = tags.gps?.Longitude ?? Number.NaN;
  if (!(Math.abs(latitudeDeg) <= 90 && Math.abs(longitudeDeg) <= 180)) return undefined;
  // Receivers without a fix write zeros: nobody photographs the sea there as often as that.
  if (latitudeDeg === 0 && longitudeDeg === 0) return undefined;
  const altitudeM = tags.gps?.Altitude ?? Number.NaN;
  return { latitudeDeg, longitudeDeg, ...(Math.abs(altitudeM) <= 100_000 ? { altitudeM } : {}) };
}

function readCaptured(tags: Tags): TimeNs | undefined {
  const when = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)/.exec(text(tags, "DateTimeOriginal"));
  if (!when) return undefined;
  const [year, month, day, hour, minute, second] = when.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
    return undefined;
  }
  const zone = /^([+-])(\d\d):(\d\d)/.exec(text(tags, "OffsetTimeOriginal") || text(tags, "OffsetTime"));
  const offsetMs = zone ? (zone[1] === "-" ? -1 : 1) * (Number(zone[2]) * 60 + Number(zone[3])) * 60_000 : 0;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second) - offsetMs;
  if (ms < 0) return undefined;
  const fraction = /^\d{1,9}/.exec(text(tags, "SubSecTimeOriginal"))?.[0] ?? "";
  const ns = String(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
  return ns.length <= TIME_DIGITS ? ns : undefined;
}

function rawValue(tags: Tags, name: string): unknown {
  const tag: unknown = Object.entries(tags.exif ?? {}).find(([key]) => key === name)?.[1];
  return tag !== null && typeof tag === "object" && "value" in tag ? tag.value : undefined;
}

/** A number or a rational; NaN when there is none. */
function number(tags: Tags, name: string): number {
  const value = rawValue(tags, name);
  if (typeof value === "number") return value;
  if (Array.isArray(value) && value.length >= 2 && typeof value[0] === "number" && typeof value[1] === "number") {
    return value[0] / value[1];
  }
  return Array.isArray(value) && typeof value[0] === "number" ? value[0] : Number.NaN;
}

function text(tags: Tags, name: string): string {
  const value = rawValue(tags, name);
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" ? first : "";
}
