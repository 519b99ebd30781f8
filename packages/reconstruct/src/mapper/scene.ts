/** The model under construction: calibrations, poses and points. Photos and matches live beside it and never change. */
import {
  CALIBRATION_SIZE,
  cameraCentre,
  normalisedFromPixels,
  type Similarity3,
  transformPoints,
  transformPose,
} from "@cairn/geometry";
import { Tracks } from "./tracks.ts";
import type { View } from "./view.ts";

/** So many points of so many photos, evenly spread, tell the size of a scene. */
const SIZE_VIEWS = 12;
const SIZE_POINTS = 1500;

export class Scene {
  /** `[lenses, 6]` decoded pixels from the principal point. */
  calibrations = new Float64Array(0);
  /** `[views, 12]` cameraFromWorld; meaningful where `posed`. */
  poses = new Float64Array(0);
  /** Views that have a pose, in the order in which they got it. */
  posed: number[] = [];
  /** How many these were when all was last adjusted together. */
  adjustedAt = 0;
  tracks = new Tracks();
  /** Views that got a pose or another one since the points were last handed out: only theirs can have changed. */
  readonly touched = new Set<number>();
  readonly #views: readonly View[];
  #rays: (Float64Array | undefined)[] = [];
  /** `[views]` 1 where posed: asked millions of times. */
  #isPosed = new Uint8Array(0);

  /** @param views lent: grows as photos come */
  constructor(views: readonly View[]) {
    this.#views = views;
  }

  get views(): readonly View[] {
    return this.#views;
  }

  addLens(calibration: Float64Array): void {
    this.calibrations = grown(this.calibrations, calibration);
  }

  /** A view was given another lens. */
  lensChanged(view: number): void {
    this.#rays[view] = undefined;
  }

  addView(view: View): void {
    this.poses = grown(this.poses, new Float64Array(12));
    const marks = new Uint8Array(this.#isPosed.length + 1);
    marks.set(this.#isPosed);
    this.#isPosed = marks;
    this.tracks.addView(view.places.count);
  }

  /** A view has more places than before, behind those that it had. */
  placesAdded(view: number): void {
    this.tracks.growView(view, this.#views[view].places.count);
    this.#rays[view] = undefined;
  }

  isPosed(view: number): boolean {
    return this.#isPosed[view] === 1;
  }

  /** How many posed views share a lens. */
  posedWith(lens: number): number {
    return this.posed.filter((view) => this.#views[view].lens === lens).length;
  }

  setPose(view: number, cameraFromWorld: Float64Array): void {
    this.poses.set(cameraFromWorld.subarray(0, 12), view * 12);
    this.touched.add(view);
    if (this.#isPosed[view]) return;
    this.#isPosed[view] = 1;
    this.posed.push(view);
  }

  dropPose(view: number): void {
    if (!this.#isPosed[view]) return;
    this.#isPosed[view] = 0;
    this.posed = this.posed.filter((each) => each !== view);
  }

  pose(view: number): Float64Array {
    return this.poses.subarray(view * 12, view * 12 + 12);
  }

  calibration(lens: number): Float64Array {
    return this.calibrations.subarray(lens * CALIBRATION_SIZE, (lens + 1) * CALIBRATION_SIZE);
  }

  setCalibration(lens: number, calibration: Float64Array): void {
    this.calibrations.set(calibration, lens * CALIBRATION_SIZE);
    for (const view of this.#views) if (view.lens === lens) this.#rays[view.index] = undefined;
  }

  /** Takes the lenses of another scene's posed photos; its own, of photos that it has posed itself, only when told. */
  takeLenses(from: Scene, { own }: { readonly own: boolean }): void {
    for (const lens of this.lensIndices()) {
      if (from.posedWith(lens) === 0 || (!own && this.posedWith(lens) > 0)) continue;
      this.setCalibration(lens, from.calibration(lens));
    }
  }

  /** `[n, 2]` normalised, undistorted coordinates of a photo's features under its present calibration. */
  rays(view: number): Float64Array {
    let rays = this.#rays[view];
    if (!rays) {
      const { lens, pixels } = this.#views[view];
      rays = normalisedFromPixels(this.calibration(lens), pixels);
      this.#rays[view] = rays;
    }
    return rays;
  }

  /** Mean focal length of a photo, decoded pixels. */
  focal(view: number): number {
    const at = this.#views[view].lens * CALIBRATION_SIZE;
    return (this.calibrations[at] + this.calibrations[at + 1]) / 2;
  }

  /** Moves everything: x' = similarity(x). */
  transform(similarity: Similarity3): void {
    for (const view of this.posed) transformPose(similarity, this.poses, view * 12, this.poses, view * 12);
    for (const track of this.tracks.all()) if (track.point) transformPoints(similarity, track.point, track.point);
  }

  /** A size of the scene that a few far points do not change: twice the median distance from the middle. */
  size(): number {
    const points = this.posed.map((view) => cameraCentre(this.poses, view * 12));
    const made = this.tracks.ofViews(spread(this.posed, SIZE_VIEWS)).filter(({ point }) => point);
    for (const { point } of spread(made, SIZE_POINTS)) points.push(point!);
    if (points.length === 0) return 1;
    const middle = [0, 1, 2].map((axis) => median(points.map((point) => point[axis])));
    return 2 * median(points.map((p) => Math.hypot(p[0] - middle[0], p[1] - middle[1], p[2] - middle[2]))) || 1;
  }

  lensIndices(): number[] {
    return Array.from({ length: this.calibrations.length / CALIBRATION_SIZE }, (_, lens) => lens);
  }

  setFocal(lens: number, focalPx: number): void {
    this.setCalibration(lens, Float64Array.of(focalPx, focalPx, 0, 0, 0, 0));
  }

  /** @param views those that the copy has, as many, in the place of its own */
  clone(views: readonly View[] = this.#views): Scene {
    const copy = new Scene(views);
    copy.calibrations = this.calibrations.slice();
    copy.poses = this.poses.slice();
    copy.posed = this.posed.slice();
    copy.adjustedAt = this.adjustedAt;
    copy.#isPosed = this.#isPosed.slice();
    for (const view of this.touched) copy.touched.add(view);
    copy.tracks = this.tracks.clone();
    copy.#rays = this.#rays.slice();
    return copy;
  }
}

/** At most `most` of the items, evenly spread. */
export function spread<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(most, items.length) }, (_, k) => items[Math.floor(k * step)]);
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return Float64Array.from(values).sort()[values.length >> 1];
}

function grown(array: Float64Array, more: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length + more.length);
  larger.set(array);
  larger.set(more, array.length);
  return larger;
}
