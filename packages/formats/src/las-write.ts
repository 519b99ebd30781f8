/**
 * LAS point clouds: 1.2 with point format 2 for programs of any age, 1.4 with point format 7 for any number of points.
 * Written run by run in constant memory; what the header must know (count, box) is known before the first point.
 * Format: ASPRS, "LAS specification" 1.2 (2008) and 1.4 R15 (2019).
 */
import type { Vec3 } from "@cairn/protocol";
import type { PointRun } from "./point-run.ts";

export type LasShape = {
  readonly version: "1.2" | "1.4";
  readonly count: number;
  /** Box of the points. */
  readonly min: Vec3;
  readonly max: Vec3;
  /** Coordinates are kept at least to a quarter of this, as far as 31 bits reach. */
  readonly step: number;
  /** x east, y north in metres from here, WGS 84. */
  readonly origin?: { readonly latitudeDeg: number; readonly longitudeDeg: number } | undefined;
  readonly created: Date;
};

export type LasHeader = {
  readonly bytes: Uint8Array;
  readonly version: "1.2" | "1.4";
  readonly scale: number;
  readonly offset: Vec3;
};

/** Of each point. */
export function lasPointBytes({ version }: Pick<LasHeader, "version">): number {
  return FORMAT[version].bytes;
}

const HEADER_BYTES = { "1.2": 227, "1.4": 375 };
const FORMAT = { "1.2": { id: 2, bytes: 26 }, "1.4": { id: 7, bytes: 36 } };
/** What the 32-bit count of LAS 1.2 can say. */
export const LAS12_MAX_POINTS = 2 ** 32 - 1;
/** Most steps between the offset and a point. */
const REACH = 2e9;

/** Everything before the first point. @throws {RangeError} more points than version 1.2 can say */
export function lasHeader(shape: LasShape): LasHeader {
  const { version, count, min, max, origin, created } = shape;
  if (version === "1.2" && count > LAS12_MAX_POINTS) throw new RangeError(`LAS 1.2 holds no ${count} points`);
  const scale = scaleFor(shape);
  const offset: Vec3 = [roundTo(min[0], scale), roundTo(min[1], scale), roundTo(min[2], scale)];
  const records = origin ? [version === "1.4" ? wktRecord(origin) : geoKeyRecords(origin)].flat() : [];
  const headerBytes = HEADER_BYTES[version];
  const bytes = new Uint8Array(headerBytes + records.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(ascii("LASF"), 0);
  // Bit 4: the coordinate system is WKT, which point formats from 6 on require.
  view.setUint16(6, version === "1.4" ? 16 : 0, true);
  bytes[24] = 1;
  bytes[25] = version === "1.4" ? 4 : 2;
  bytes.set(ascii("OTHER"), 26);
  bytes.set(ascii("Cairn"), 58);
  const newYear = Date.UTC(created.getUTCFullYear(), 0, 1);
  view.setUint16(90, 1 + Math.floor((created.getTime() - newYear) / 86_400_000), true);
  view.setUint16(92, created.getUTCFullYear(), true);
  view.setUint16(94, headerBytes, true);
  view.setUint32(96, bytes.length, true);
  view.setUint32(100, records.length, true);
  bytes[104] = FORMAT[version].id;
  view.setUint16(105, FORMAT[version].bytes, true);
  for (let axis = 0; axis < 3; axis++) {
    view.setFloat64(131 + 8 * axis, scale, true);
    view.setFloat64(155 + 8 * axis, offset[axis]!, true);
    view.setFloat64(179 + 16 * axis, stored(max[axis]!, offset[axis]!, scale), true);
    view.setFloat64(187 + 16 * axis, stored(min[axis]!, offset[axis]!, scale), true);
  }
  // Every point is the only return of its pulse. Formats from 6 on have no 32-bit counts.
  if (version === "1.2") {
    view.setUint32(107, count, true);
    view.setUint32(111, count, true);
  } else {
    view.setBigUint64(247, BigInt(count), true);
    view.setBigUint64(255, BigInt(count), true);
  }
  let at = headerBytes;
  for (const record of records) {
    bytes.set(record, at);
    at += record.length;
  }
  return { bytes, version, scale, offset };
}

/** One run: colours as 16 bits, the photo's number as point source, the confidence as user data. */
export function lasRun(run: PointRun, { version, scale, offset }: LasHeader): Uint8Array {
  const { count, positions, colors, photos, confidences } = run;
  const stride = FORMAT[version].bytes;
  const modern = version === "1.4";
  const [returnsAt, sourceAt, colorAt] = modern ? [14, 20, 30] : [14, 18, 20];
  const returns = modern ? 0x11 : 0b001_001;
  const bytes = new Uint8Array(count * stride);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = 0; i < count; i++, at += stride) {
    for (let axis = 0; axis < 3; axis++) {
      view.setInt32(at + 4 * axis, Math.round((positions[3 * i + axis]! - offset[axis]!) / scale), true);
      view.setUint16(at + colorAt! + 2 * axis, colors[3 * i + axis]! * 257, true);
    }
    bytes[at + returnsAt!] = returns;
    bytes[at + 17] = confidences ? confidences[i]! : 255;
    const photo = typeof photos === "number" ? photos : photos[i]!;
    view.setUint16(at + sourceAt!, photo <= 0xffff ? photo : 0, true);
  }
  return bytes;
}

/** A power of ten, so that coordinates read well. */
function scaleFor({ min, max, step }: LasShape): number {
  const extent = Math.max(max[0] - min[0], max[1] - min[1], max[2] - min[2]);
  const fine = Math.floor(Math.log10(step / 4));
  const reach = extent > 0 ? Math.ceil(Math.log10(extent / REACH)) : fine;
  return Number(`1e${Math.max(fine, reach)}`);
}

function roundTo(value: number, scale: number): number {
  return Math.round(value / scale) * scale;
}

function stored(value: number, offset: number, scale: number): number {
  return Math.round((value - offset) / scale) * scale + offset;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A variable length record. */
function vlr(user: string, id: number, description: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(54 + content.length);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii(user), 2);
  view.setUint16(18, id, true);
  view.setUint16(20, content.length, true);
  bytes.set(ascii(description), 22);
  bytes.set(content, 54);
  return bytes;
}

type Origin = NonNullable<LasShape["origin"]>;

/**
 * A transverse Mercator projection through the origin: east and north of the tangent plane agree with it to 0.01 mm
 * within 1 km.
 */
function wktRecord({ latitudeDeg, longitudeDeg }: Origin): Uint8Array {
  const wkt = `PROJCS["Cairn model",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",${latitudeDeg}],PARAMETER["central_meridian",${longitudeDeg}],PARAMETER["scale_factor",1],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]`;
  return vlr("LASF_Projection", 2112, "WKT", ascii(`${wkt}\0`));
}

/** The same as GeoTIFF keys, which is what LAS 1.2 knows. */
function geoKeyRecords({ latitudeDeg, longitudeDeg }: Origin): Uint8Array[] {
  const DOUBLES = 34736;
  const keys = [
    [1024, 0, 1, 1], // a projected system
    [2048, 0, 1, 4326], // on WGS 84
    [3072, 0, 1, 32767], // of our own:
    [3074, 0, 1, 32767],
    [3075, 0, 1, 1], // transverse Mercator
    [3076, 0, 1, 9001], // in metres
    [3080, DOUBLES, 1, 0], // longitude of the origin
    [3081, DOUBLES, 1, 1], // latitude of the origin
    [3082, DOUBLES, 1, 2], // false easting
    [3083, DOUBLES, 1, 3], // false northing
    [3092, DOUBLES, 1, 4], // scale at the origin
  ];
  const directory = Uint16Array.from([1, 1, 0, keys.length, ...keys.flat()]);
  const doubles = Float64Array.of(longitudeDeg, latitudeDeg, 0, 0, 1);
  return [
    vlr("LASF_Projection", 34735, "GeoKeyDirectoryTag", littleEndian(directory)),
    vlr("LASF_Projection", DOUBLES, "GeoDoubleParamsTag", littleEndian(doubles)),
  ];
}

function littleEndian(values: Uint16Array | Float64Array): Uint8Array {
  const size = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (values instanceof Uint16Array) view.setUint16(i * size, value, true);
    else view.setFloat64(i * size, value, true);
  });
  return bytes;
}
