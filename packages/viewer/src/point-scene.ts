/** The points of a space in a picture: between the cloud, which knows what to draw, and the GPU, which draws it. */
import { cornerOf, edgeOf } from "@cairn/cloud";
import type { LayerState, SpaceState, Vec3 } from "@cairn/protocol";
import { Matrix4, Quaternion, Vector3 } from "three";
import { Cloud, type PlacedNode } from "./cloud.ts";
import { type ColorMode, type Legend, legendOf, photoColors, RAMPS, rgbOf } from "./color-modes.ts";
import { createDecoder } from "./decoder.ts";
import type { Eye } from "./eye.ts";
import { GlPoints, type LayerDraw, type PointPass, type PointStyle } from "./gl-points.ts";
import { heightUnits } from "./height.ts";
import { inModel } from "./layer-frame.ts";
import { anchorOf, NodeTextures } from "./node-textures.ts";
import { meetsBall, PICK_PX, Picker } from "./picker.ts";
import { PointBudget } from "./point-budget.ts";
import { indexOfPoint, rangesOf } from "./residents.ts";
import type { SpaceSource } from "./source.ts";

export type Picked = {
  readonly layer: number;
  /** Its node's id, and which of the node's points it is. */
  readonly node: string;
  readonly index: number;
  /** Model frame. */
  readonly point: Vec3;
  /** Number of the photo it came from, 1 the space's first; 0 none. */
  readonly photo: number;
  /** 0…255 */
  readonly confidence: number;
};

type PointSceneOptions = {
  /** A frame is due. */
  onChange(): void;
  onProblem?: ((error: unknown) => void) | undefined;
  reducedMotion(): boolean;
  /** Points drawn at first, and at most when the machine is fast. */
  startPoints: number;
  mostPoints: number;
  stillMs?: number | undefined;
};

/** By slab: first point and count of each run in turn. */
type Group = { ranges: Map<number, number[]>; density: number };

const FRESH_MS = 500;
/** Largest points of a surface, which stays closed until one touches it, and of what is only dots. */
const SURFACE_PX = 40;
const DOT_PX = 10;
const MODES = { photo: 0, height: 1, age: 2, contributor: 2, confidence: 3 } as const satisfies Record<
  ColorMode,
  number
>;

export class PointScene {
  readonly cloud: Cloud;
  readonly budget: PointBudget;
  readonly #gpu: GlPoints;
  readonly #picker: Picker;
  readonly #textures = new NodeTextures();
  readonly #decoder = createDecoder();
  readonly #epochMs = performance.now();
  readonly #reducedMotion: () => boolean;
  #drawn: PlacedNode[] = [];
  #groups = new Map<LayerState, Group>();
  #freshUntilMs = 0;
  #looked = "";
  #mode: ColorMode = "photo";
  #photos = "";
  #ramp = new Float32Array(18);
  /** Lowest and highest of what is coloured by height, scene. */
  #heights: [number, number] = [0, 1];

  constructor(gl: WebGL2RenderingContext, options: PointSceneOptions) {
    const { startPoints, mostPoints, stillMs, reducedMotion, onChange, onProblem } = options;
    this.#gpu = new GlPoints(gl);
    this.#picker = new Picker(gl);
    this.#reducedMotion = reducedMotion;
    this.budget = new PointBudget(startPoints, mostPoints, stillMs);
    this.cloud = new Cloud({
      sink: this.#gpu,
      decode: (bytes) => this.#decoder.decode(bytes),
      onChange,
      onProblem,
      now: () => performance.now(),
      // What is drawn, what comes in its place, and what was just seen.
      maxPoints: mostPoints * 2,
      reducedMotion,
    });
  }

  get mode(): ColorMode {
    return this.#mode;
  }

  follow(source: SpaceSource | undefined): void {
    this.cloud.follow(source);
    this.#looked = "";
    this.#photos = "";
  }

  setMode(mode: ColorMode): void {
    this.#mode = mode;
    this.#photos = "";
    if (mode === "photo" || mode === "contributor") return;
    RAMPS[mode].forEach((color, i) => {
      this.#ramp.set(
        rgbOf(color).map((value) => value / 255),
        i * 3,
      );
    });
  }

  setHeights(low: number, high: number): void {
    this.#heights = [low, Math.max(high, low + 1e-9)];
  }

  legend(state: SpaceState, origin: Vec3, sceneFromModel: Quaternion): Legend | undefined {
    const { x, y, z } = new Vector3(0, 1, 0).applyQuaternion(sceneFromModel.clone().invert());
    const [low, high] = this.#heights;
    const { zero, scale, unit } = heightUnits(state, low, origin, [x, y, z]);
    return legendOf(state, this.#mode, [zero + low * scale, zero + high * scale], unit);
  }

  /** Once a frame, before drawing. @returns whether the next picture differs though nobody does anything */
  step(nowMs: number, eye: Eye, state: SpaceState | undefined): boolean {
    const { view } = eye;
    const looked = [
      ...view.position,
      ...view.axes.flat(),
      view.tanX,
      view.tanY,
      view.focalPx,
      this.budget.points,
    ].join();
    if (looked !== this.#looked) this.cloud.look(view, this.budget.points);
    this.#looked = looked;
    const before = this.cloud.residents.points;
    const changed = this.cloud.step(nowMs);
    if (changed) {
      this.#drawn = this.cloud.drawn();
      this.#groups = grouped(this.#drawn);
      const came = this.#textures.fill(this.#drawn, this.cloud.residents.slots, this.#epochMs, nowMs);
      this.#gpu.setNodes(this.#textures);
      const fresh = came || this.cloud.residents.points > before;
      if (fresh && !this.#reducedMotion()) this.#freshUntilMs = nowMs + FRESH_MS;
    }
    if (state) this.#colorPhotos(state);
    return changed || nowMs < this.#freshUntilMs || this.cloud.fading;
  }

  /** The view stands still: more points where there are more. @param costMs of the last picture @returns whether it changes */
  refine(costMs: number): boolean {
    const { loaded, failed, wanted } = this.cloud.stats;
    if (!this.cloud.short || loaded + failed < wanted || this.cloud.fading) return false;
    return this.budget.refine(costMs);
  }

  /** There is more to show than the budget lets it, and the budget could be more. */
  get coarse(): boolean {
    return this.cloud.short && !this.budget.full;
  }

  draw(pass: PointPass, nowMs: number, eye: Eye, pointScale: number): void {
    this.#gpu.draw(
      pass,
      eye.clipFromEye.elements,
      this.#style(nowMs, eye, pointScale),
      this.#layers(this.#groups, nowMs, eye, pointScale),
    );
  }

  /** @param x part of the picture's width from the left @param y part of its height from the top */
  pick(x: number, y: number, eye: Eye, pointScale: number, nowMs: number): Picked | undefined {
    const { view, widthPx, heightPx, pixelRatio } = eye;
    const ray = rayThrough(x, y, eye);
    const slope = ((PICK_PX / 2 + 24 * pixelRatio) * 2) / (eye.clipFromEye.elements[5]! * heightPx);
    const near = this.#drawn.filter(({ layer, grid, node }) => {
      const edge = edgeOf(node.id.e);
      const corner = cornerOf(node.id, grid.origin);
      const centre = inModel(layer, [corner[0] + edge / 2, corner[1] + edge / 2, corner[2] + edge / 2]);
      return meetsBall(view.position, ray, slope, centre, edge * 0.8661 * (layer.transform?.scale ?? 1));
    });
    const layers = this.#layers(grouped(near), nowMs, eye, pointScale);
    const style = this.#style(nowMs, eye, pointScale);
    const found = this.#picker.pick(x, y, widthPx, heightPx, eye.clipFromEye.elements, (clip) =>
      this.#gpu.draw("pick", clip, style, layers),
    );
    if (!found) return undefined;
    const at = near.find(({ resident }) => resident?.slot === found.slot);
    if (!at?.resident) return undefined;
    const corner = cornerOf(at.node.id, at.grid.origin);
    const step = edgeOf(at.node.id.e) / 2 ** at.resident.bits;
    const place = (axis: 0 | 1 | 2) => corner[axis] + (found.coords[axis] + 0.5) * step;
    return {
      layer: at.layer.layer,
      node: at.node.key,
      index: indexOfPoint(at.resident, found.slab, found.point),
      point: inModel(at.layer, [place(0), place(1), place(2)]),
      photo: found.photo,
      confidence: found.confidence,
    };
  }

  /** The context is back: everything is put there again. */
  restore(): void {
    this.#gpu.restore();
    this.#picker.restore();
    this.cloud.lost();
    this.#photos = "";
  }

  dispose(): void {
    this.cloud.follow(undefined);
    this.#decoder.dispose();
    this.#gpu.dispose();
    this.#picker.dispose();
  }

  #style(nowMs: number, { clipFromEye, heightPx, pixelRatio }: Eye, pointScale: number): PointStyle {
    return {
      sizePx: (clipFromEye.elements[5]! * heightPx * pointScale) / 2,
      minPx: 2 * pixelRatio * Math.min(1, pointScale),
      dotPx: DOT_PX * pixelRatio * pointScale,
      now: this.#reducedMotion() ? 1e6 : (nowMs - this.#epochMs) / 1000,
      mode: MODES[this.#mode],
      ramp: this.#ramp,
    };
  }

  #layers(groups: ReadonlyMap<LayerState, Group>, nowMs: number, eye: Eye, pointScale: number): LayerDraw[] {
    return [...groups].map(([layer, { ranges, density }]) => {
      const scene = sceneFromLayer(layer, eye);
      const { from, to } = this.cloud.fadeOf(layer.layer, nowMs);
      const m = scene.elements;
      const span = this.#heights[1] - this.#heights[0];
      return {
        eyeFromLayer: new Matrix4().multiplyMatrices(eye.eyeFromScene, scene).elements,
        scale: layer.transform?.scale ?? 1,
        fade: [from, to],
        maxPx: (DOT_PX + (SURFACE_PX - DOT_PX) * density) * eye.pixelRatio * pointScale,
        up: [m[1]! / span, m[5]! / span, m[9]! / span, (m[13]! - this.#heights[0]) / span],
        ranges,
      };
    });
  }

  #colorPhotos(state: SpaceState): void {
    if (MODES[this.#mode] !== 2) return;
    const now = `${this.#mode} ${Object.keys(state.images).length} ${state.removed?.length ?? 0}`;
    if (now === this.#photos) return;
    this.#photos = now;
    this.#gpu.setPhotos(photoColors(state, this.#mode));
  }
}

/** Of a point relative to the layer's anchor. Differences of large numbers in doubles, the rest is small. */
function sceneFromLayer(layer: LayerState, { origin, sceneFromModel }: Eye): Matrix4 {
  const { transform } = layer;
  const anchor = inModel(layer, anchorOf(layer));
  const shift = new Vector3(anchor[0] - origin[0], anchor[1] - origin[1], anchor[2] - origin[2]);
  const [w, x, y, z] = transform?.rotation ?? [1, 0, 0, 0];
  const scale = transform?.scale ?? 1;
  const turn = sceneFromModel.clone().multiply(new Quaternion(x, y, z, w));
  return new Matrix4().compose(shift.applyQuaternion(sceneFromModel), turn, new Vector3(scale, scale, scale));
}

/** Unit vector, model frame. */
function rayThrough(x: number, y: number, { clipFromEye, eyeFromScene, sceneFromModel }: Eye): Vec3 {
  const m = clipFromEye.elements;
  const ray = new Vector3((2 * x - 1 + m[8]!) / m[0]!, (1 - 2 * y + m[9]!) / m[5]!, -1).normalize();
  ray.transformDirection(eyeFromScene.clone().invert()).applyQuaternion(sceneFromModel.clone().invert());
  return [ray.x, ray.y, ray.z];
}

/** What is drawn of each layer. */
function grouped(nodes: readonly PlacedNode[]): Map<LayerState, Group> {
  const layers = new Map<LayerState, Group>();
  for (const { layer, resident, density } of nodes) {
    if (!resident || resident.points === 0) continue;
    const group = layers.get(layer) ?? { ranges: new Map<number, number[]>(), density };
    layers.set(layer, group);
    for (const { slab, first, count } of rangesOf(resident)) {
      const runs = group.ranges.get(slab);
      if (runs) runs.push(first, count);
      else group.ranges.set(slab, [first, count]);
    }
  }
  return layers;
}
