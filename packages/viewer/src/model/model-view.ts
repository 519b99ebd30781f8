/**
 * Shows files on a canvas: meshes, points and lines, under keys, so that parts can come and be replaced. Moves and frames
 * like the viewer of a space, and draws when something changed and not otherwise.
 */
import type { Vec3 } from "@cairn/protocol";
import {
  BufferAttribute,
  DirectionalLight,
  Group,
  HemisphereLight,
  Mesh,
  type Object3D,
  Points,
  Raycaster,
  Scene,
  Vector2,
  Vector3,
} from "three";
import { isLike } from "../framing.ts";
import { listen } from "../input.ts";
import { Orbit } from "../orbit.ts";
import { Picture } from "../picture.ts";
import { pointSpacing } from "../point-spacing.ts";
import { steer } from "../steer.ts";
import { type Insets, Viewport } from "../viewport.ts";
import { filePointsMaterial } from "./file-points.ts";
import { sampleOf, viewOf } from "./model-framing.ts";
import { disposeOf, type Model } from "./parse-model.ts";

/** Which way is up in the files: `-y` as photographers' cameras have it. */
export type ModelUp = "y" | "z" | "-y";

export type ModelStats = { points: number; triangles: number };

export type ModelView = {
  /** Draws a model, in place of the one that had this key. It is the view's from now on. */
  put(key: string, model: Model): void;
  remove(key: string): void;
  /** Keeps only these. */
  keep(keys: ReadonlySet<string>): void;
  setUp(up: ModelUp): void;
  /** Where a photographer stood, in the frame of the files: what is far behind the subject need not be in the picture. */
  setEye(eye: Vec3 | undefined): void;
  setWireframe(on: boolean): void;
  /** Room taken by panels over the canvas, CSS pixels. */
  setInsets(insets: Insets): void;
  /** Glides to a view of everything, and keeps everything in view until the next touch. */
  frame(): void;
  readonly stats: ModelStats;
  dispose(): void;
};

/** While parts stream in, the scene is framed anew so often. */
const REFRAME_MS = 160;
/** Points are drawn a little larger than they lie apart, so that a surface is closed. */
const CLOSED = 1.8;
/** So few points are dots, not a surface: no use in making them large. */
const FEW_POINTS = 30_000;
const SURFACE_PX = 24;
const DOT_PX = 8;
const POINTS_LAYER = 1;
const TURNS: Readonly<Record<ModelUp, number>> = { y: 0, z: -Math.PI / 2, "-y": Math.PI };

/** @throws {Error} when the browser has no WebGL 2 */
export function createModelView(canvas: HTMLCanvasElement, onStats: (stats: ModelStats) => void = () => {}): ModelView {
  const stop = new AbortController();
  const onContext = (restored: boolean) => restored && requestFrame();
  const picture = new Picture(canvas, onContext, stop.signal);
  const orbit = new Orbit();
  const viewport = new Viewport(canvas, orbit);
  const { camera } = viewport;
  const scene = new Scene();
  const content = new Group();
  const sky = new HemisphereLight(0xdfeaf5, 0x2a323c, 1.35);
  const lamp = new DirectionalLight(0xffffff, 2.1);
  scene.add(content, sky, lamp, lamp.target);
  const pointMaterial = filePointsMaterial(!picture.shaded);
  const models = new Map<string, Model>();
  const motion = matchMedia("(prefers-reduced-motion: reduce)");
  orbit.reducedMotion = motion.matches;

  let wireframe = false;
  let eye: Vec3 | undefined;
  let touched = false;
  let framed = false;
  let frameRequest = 0;
  let refreshTimer: ReturnType<typeof setTimeout> | undefined;
  let refreshedAtMs = Number.NEGATIVE_INFINITY;
  let drawnAtMs = 0;
  let maxPointPx: number = DOT_PX;
  let inARow = false;

  function requestFrame(): void {
    if (frameRequest === 0 && !stop.signal.aborted) frameRequest = requestAnimationFrame(draw);
  }

  /** Soon, and then not again for a moment: parts may come by the hundred. */
  function changed(): void {
    const waitMs = refreshedAtMs + REFRAME_MS - performance.now();
    if (waitMs <= 0) refresh();
    else refreshTimer ??= setTimeout(refresh, waitMs);
    requestFrame();
  }

  function refresh(): void {
    clearTimeout(refreshTimer);
    refreshTimer = undefined;
    if (stop.signal.aborted) return;
    refreshedAtMs = performance.now();
    content.updateMatrixWorld(true);
    const { cloud, clouds } = sampleOf(content);
    const seen = cloud.length / 3;
    const part = Math.sqrt(Math.max(1, seen) / Math.max(1, clouds));
    maxPointPx = clouds > FEW_POINTS ? SURFACE_PX : DOT_PX;
    pointMaterial.uniforms.uSpacing!.value = pointSpacing(cloud, seen) * part * CLOSED;
    if (!touched) autoFrame(cloud);
    requestFrame();
  }

  function autoFrame(cloud: Float32Array): void {
    const view = viewOf(content, cloud, eye, viewport.free);
    if (!view) {
      framed = false;
      return;
    }
    if (framed && isLike(view, orbit.goal)) return;
    orbit.glideTo(view, !framed);
    framed = true;
  }

  function draw(nowMs: number): void {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    if (picture.lost) return;
    const elapsedMs = inARow ? nowMs - drawnAtMs : 16;
    drawnAtMs = nowMs;
    inARow = orbit.step(Math.min(200, Math.max(1, elapsedMs)));
    viewport.look();
    lightScene();
    const { height, pixelRatio } = viewport;
    const { uSizePx, uMinPx, uMaxPx } = pointMaterial.uniforms;
    uSizePx!.value = (camera.projectionMatrix.elements[5]! * height * pixelRatio) / 2;
    uMinPx!.value = 2 * pixelRatio;
    uMaxPx!.value = maxPointPx * pixelRatio;
    camera.layers.set(POINTS_LAYER);
    picture.drawPoints(viewport, () => picture.draw(scene, camera));
    camera.layers.set(0);
    picture.draw(scene, camera);
    if (inARow) requestFrame();
  }

  /** Over the shoulder of who looks: each side is lit as one turns. */
  function lightScene(): void {
    const { target, distance } = orbit.view;
    lamp.position.set(-0.45, 0.7, 0.8).multiplyScalar(distance).applyQuaternion(camera.quaternion);
    lamp.position.add(new Vector3(...target));
    lamp.target.position.set(...target);
  }

  function hit(xPx: number, yPx: number): Vec3 | undefined {
    viewport.look();
    const ray = new Raycaster();
    ray.params.Points.threshold = Math.max(pointMaterial.uniforms.uSpacing!.value, orbit.view.distance / 200);
    ray.layers.enableAll();
    ray.setFromCamera(new Vector2(...viewport.clipAt(xPx, yPx)), camera);
    const point = ray.intersectObject(content, true)[0]?.point;
    return point && [point.x, point.y, point.z];
  }

  function resize(): void {
    viewport.measure();
    picture.resize(viewport);
    refresh();
    if (!picture.lost) draw(performance.now()); // in the same task: a resized canvas is blank until it is drawn
  }

  function stats(): ModelStats {
    const all = [...models.values()];
    return {
      points: all.reduce((sum, { points }) => sum + points, 0),
      triangles: all.reduce((sum, { triangles }) => sum + triangles, 0),
    };
  }

  function prepare(object: Object3D): void {
    object.traverse((each) => {
      if (each instanceof Points) {
        const { count } = each.geometry.attributes.position!;
        if (!each.geometry.hasAttribute("color")) {
          each.geometry.setAttribute("color", new BufferAttribute(new Float32Array(3 * count).fill(0.42), 3));
        }
        each.material = pointMaterial;
        each.layers.set(POINTS_LAYER);
        each.frustumCulled = true;
      } else if (each instanceof Mesh) setWire(each);
    });
  }

  function setWire(mesh: Mesh): void {
    for (const material of [mesh.material].flat()) if ("wireframe" in material) material.wireframe = wireframe;
  }

  function drop(key: string): void {
    const model = models.get(key);
    if (!model) return;
    models.delete(key);
    content.remove(model.object);
    disposeOf(model.object);
  }

  function tell(): void {
    onStats(stats());
    changed();
  }

  function frame(): void {
    touched = false;
    refresh();
  }

  listen(
    canvas,
    {
      ...steer(orbit, viewport, {
        hit,
        zoomPoint: (xPx, yPx) => viewport.targetPlaneAt(xPx, yPx),
        touch: () => (touched = true),
        moved: requestFrame,
      }),
      frame,
      hold() {},
      hover() {},
      click() {},
    },
    stop.signal,
  );
  motion.addEventListener("change", () => (orbit.reducedMotion = motion.matches), { signal: stop.signal });
  const sizes = new ResizeObserver(resize);
  sizes.observe(canvas);
  resize();

  return {
    put(key, model) {
      drop(key);
      prepare(model.object);
      models.set(key, model);
      content.add(model.object);
      tell();
    },
    remove(key) {
      drop(key);
      tell();
    },
    keep(keys) {
      for (const key of [...models.keys()]) if (!keys.has(key)) drop(key);
      if (models.size === 0) framed = touched = false;
      tell();
    },
    setUp(up) {
      if (content.rotation.x === TURNS[up]) return;
      content.rotation.x = TURNS[up];
      changed();
    },
    setEye(next) {
      eye = next;
      changed();
    },
    setWireframe(on) {
      wireframe = on;
      content.traverse((each) => {
        if (each instanceof Mesh) setWire(each);
      });
      requestFrame();
    },
    setInsets(next) {
      viewport.insets = next;
      changed();
    },
    frame,
    get stats() {
      return stats();
    },
    dispose() {
      stop.abort();
      clearTimeout(refreshTimer);
      cancelAnimationFrame(frameRequest);
      sizes.disconnect();
      for (const key of [...models.keys()]) drop(key);
      pointMaterial.dispose();
      picture.giveUp();
    },
  };
}
