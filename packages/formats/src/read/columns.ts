/** Fields of points by their names in files, and what they mean: positions, colours, normals. */
import type { PointRun } from "../point-run.ts";
import { Levels } from "./levels.ts";
import type { PlyField } from "./ply-header.ts";

/** Names in the order of preference, upper case aside. */
const NAMES = {
  x: ["x"],
  y: ["y"],
  z: ["z"],
  red: ["red", "r", "diffuse_red", "scalar_red"],
  green: ["green", "g", "diffuse_green", "scalar_green"],
  blue: ["blue", "b", "diffuse_blue", "scalar_blue"],
  // The constant part of the colour of a Gaussian.
  red0: ["f_dc_0"],
  green0: ["f_dc_1"],
  blue0: ["f_dc_2"],
  nx: ["nx", "normal_x"],
  ny: ["ny", "normal_y"],
  nz: ["nz", "normal_z"],
  intensity: ["intensity", "scalar_intensity", "gray", "grey"],
} as const;

type Column = keyof typeof NAMES;
export type ColumnPlan = { readonly column: Column; readonly field: number }[];

/** Which fields are read; `undefined` when there is no position. */
export function planColumns(fields: readonly PlyField[]): ColumnPlan | undefined {
  const plan: { column: Column; field: number }[] = [];
  for (const [column, names] of Object.entries(NAMES) as [Column, readonly string[]][]) {
    for (const name of names) {
      const field = fields.findIndex((each) => each.name === name && !each.lengthType);
      if (field < 0) continue;
      plan.push({ column, field });
      break;
    }
  }
  const has = (column: Column) => plan.some((each) => each.column === column);
  if (!has("x") || !has("y") || !has("z")) return undefined;
  const whole = (...columns: Column[]) => columns.every(has);
  const colors: readonly Column[] = whole("red", "green", "blue")
    ? ["red", "green", "blue"]
    : whole("red0", "green0", "blue0")
      ? ["red0", "green0", "blue0"]
      : has("intensity")
        ? ["intensity"]
        : [];
  const wanted = new Set<Column>(["x", "y", "z", ...colors, ...(whole("nx", "ny", "nz") ? NORMALS : [])]);
  return plan.filter(({ column }) => wanted.has(column));
}

const NORMALS: readonly Column[] = ["nx", "ny", "nz"];
/** The first spherical harmonic. */
const SH0 = 0.28209479177387814;

/** Who interpolates colours of 0…1, or maps their tones, may write a little more. */
const OVERSHOOT = 2;

/**
 * Turns columns into points. What a file does not say of its colours is decided by all of them once they were all read,
 * and while they are read for the first time by the first chunk that has any.
 */
export class ColumnReader {
  readonly #plan: ColumnPlan;
  readonly #floats: boolean;
  #most = 0;
  readonly #grey: Levels | undefined;
  #colorScale: number | undefined;
  #sawAll = false;

  constructor(plan: ColumnPlan, fields: readonly PlyField[]) {
    this.#plan = plan;
    if (plan.some(({ column }) => column === "intensity")) this.#grey = new Levels();
    this.#floats = plan.some(({ column, field }) => isColor(column) && fields[field]!.type.startsWith("f"));
  }

  /** @param columns one array for each entry of the plan, `count` values each */
  read(columns: readonly Float64Array[], count: number): PointRun {
    const column = (name: Column) => columns[this.#plan.findIndex((each) => each.column === name)];
    const positions = new Float64Array(count * 3);
    const [x, y, z] = [column("x")!, column("y")!, column("z")!];
    for (let i = 0; i < count; i++) {
      positions[3 * i] = x[i]!;
      positions[3 * i + 1] = y[i]!;
      positions[3 * i + 2] = z[i]!;
    }
    const colors = new Uint8Array(count * 3).fill(255);
    const names = this.#plan.filter((each) => isColor(each.column)).map((each) => each.column);
    if (!this.#sawAll) for (const name of names) this.#look(column(name)!, count);
    this.#colorScale ??= this.#scale();
    const scale = this.#colorScale ?? 0;
    for (let channel = 0; channel < 3 && names.length > 0; channel++) {
      const name = names.length === 3 ? names[channel]! : names[0]!;
      const values = column(name)!;
      const harmonic = name.endsWith("0");
      for (let i = 0; i < count; i++) {
        const value = harmonic ? 255 * (0.5 + SH0 * values[i]!) : values[i]! * scale;
        colors[3 * i + channel] = value > 0 ? Math.min(255, Math.round(value)) : 0; // NaN is 0
      }
    }
    const [nx, ny, nz] = [column("nx"), column("ny"), column("nz")];
    const normals = nx && ny && nz ? unitNormals(nx, ny, nz, count) : undefined;
    return { count, positions, colors, photos: 0, normals };
  }

  /** All of the file was read: what is read again is read by all of it. */
  end(): void {
    this.#sawAll = true;
    this.#colorScale = this.#scale();
  }

  #look(values: Float64Array, count: number): void {
    this.#most = Math.max(this.#most, mostOf(values, count));
    if (this.#grey) for (let i = 0; i < count; i++) this.#grey.add(values[i]!);
  }

  /** To 0…255: floats are 0…1 unless they are larger, whole numbers 16 bits if they are larger than 8; black is neither. */
  #scale(): number | undefined {
    const most = this.#most;
    if (most === 0) return undefined;
    if (this.#grey) return 255 / this.#grey.white;
    if (this.#floats) return most <= OVERSHOOT ? 255 : most <= 255 ? 1 : 1 / 257;
    return most <= 255 ? 1 : 1 / 257;
  }
}

/** Of those that are finite. */
function mostOf(values: Float64Array, count: number): number {
  let most = 0;
  for (let i = 0; i < count; i++) if (values[i]! > most && values[i]! < Infinity) most = values[i]!;
  return most;
}

function isColor(column: Column): boolean {
  return !["x", "y", "z", ...NORMALS].includes(column);
}

function unitNormals(nx: Float64Array, ny: Float64Array, nz: Float64Array, count: number): Int8Array {
  const normals = new Int8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const scale = 127 / Math.hypot(nx[i]!, ny[i]!, nz[i]!);
    if (!(scale < Infinity)) continue; // None, or not a number: not known.
    normals[3 * i] = Math.round(nx[i]! * scale);
    normals[3 * i + 1] = Math.round(ny[i]! * scale);
    normals[3 * i + 2] = Math.round(nz[i]! * scale);
  }
  return normals;
}
