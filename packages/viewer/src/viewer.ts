/**
 * Shows a space on a canvas and follows it. Draws when something changed and not otherwise.
 * Frames: the model's frame is arbitrary; the scene is the model about an origin near it, turned so that y is up.
 */
import { type CameraState, shownLayers, type Vec3 } from "@cairn/protocol";
import { Matrix4, PerspectiveCamera, Quaternion, Scene, Vector3, WebGLRenderer } from "three";
import { CameraLayer, frustumDepth } from "./camera-layer.ts";
import type { CloudStats } from "./cloud.ts";
import type { ColorMode, Legend } from "./color-modes.ts";
import { EyeDome } from "./eye-dome.ts";
import { type Bounds, center, fitView, foreground, isLike, radius, robustBounds, viewDirection } from "./framing.ts";
import { georeferenceOf } from "./height.ts";
import { listen } from "./input.ts";
import { inModel } from "./layer-frame.ts";
import { Orbit } from "./orbit.ts";
import { PathLayer } from "./path-layer.ts";
import { type Eye, type Picked, PointScene } from "./point-scene.ts";
import { Refiner } from "./refiner.ts";
import type { SpaceSource } from "./source.ts";
import { cameraCenter, rotationRows, upOf } from "./up.ts";
import { viewMessage } from "./view-message.ts";

export type ViewerStats = CloudStats & { generation: number; cameras: number };

export type ViewerOptions = {
  /** What is shown has changed. */
  onStats?(stats: ViewerStats): void;
  /** The picture comes to rest, or no longer is: see `Viewer.still`. Said at once when it no longer is. */
  onStill?(still: boolean): void;
  /** The pointer rests on a camera, or no longer on any. Pixels of the canvas. */
  onHover?(at: { image: string; xPx: number; yPx: number } | undefined): void;
  /** A camera was clicked, or the empty space beside them. */
  onSelect?(image: string | undefined): void;
  /** The picture was lost with the GPU's context (`false`) or is back (`true`). */
  onContext?(restored: boolean): void;
  /** A blob could not be fetched; it is tried again. */
  onProblem?(error: unknown): void;
  /** Points drawn at first, and at most where the machine is fast. */
  startPoints?: number;
  mostPoints?: number;
  /** A picture of a view that stands still may take so long to draw, 1000 by default. */
  stillMs?: number;
  /** Room taken by panels over the canvas, CSS pixels: framing keeps the scene beside them. */
  insets?: { top: number; right: number; bottom: number; left: number };
};

export type Viewer = {
  /** Leaves the space before; `undefined` shows nothing. */
  follow(source: SpaceSource | undefined): void;
  /** 1 is the size that suits the cloud's density. */
  setPointSize(scale: number): void;
  /** Cameras, and the ways of those that filmed. */
  setCamerasVisible(visible: boolean): void;
  setColorMode(mode: ColorMode): void;
  /** What the colours mean; `undefined`: they are the photos' own. */
  legend(): Legend | undefined;
  /** The point drawn nearest to a place of the canvas, CSS pixels, within a few of them. */
  pick(xPx: number, yPx: number): Picked | undefined;
  setInsets(insets: NonNullable<ViewerOptions["insets"]>): void;
  /** Marks the camera of this image. */
  select(image: string | undefined): void;
  /** Glides to where this image was taken from; `false` when it has no camera. */
  viewFrom(image: string): boolean;
  /** Glides to a view of everything, and keeps everything in view until the next touch. */
  frame(): void;
  readonly stats: ViewerStats;
  /**
   * All that the view wants is here and drawn, and the picture stays as it is while nobody does anything. Whatever is
   * asked of the viewer ends that before the call returns.
   */
  readonly still: boolean;
  dispose(): void;
};

const FOV_Y = (50 * Math.PI) / 180;
const MAX_PIXEL_RATIO = 2;
/** A phone's memory and GPU take half of what others do. */
const START_POINTS = { phone: 1_000_000, other: 2_000_000 } as const;
const MOST_POINTS = { phone: 1_500_000, other: 4_000_000 } as const;
/** While something is on its way that asks for no frame, it is looked at so often whether all is here. */
const STILL_LOOK_MS = 100;
/** While points stream in, the scene is framed anew so often. */
const REFRAME_MS = 160;
const LOW = new Vector3(0.035, 0.043, 0.055);
const HIGH = new Vector3(0.082, 0.1, 0.125);

/** @throws {Error} when the browser has no WebGL 2 */
export function createViewer(canvas: HTMLCanvasElement, options: ViewerOptions = {}): Viewer {
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: false, powerPreference: "high-performance" });
  renderer.autoClear = false;
  const camera = new PerspectiveCamera((FOV_Y * 180) / Math.PI, 1, 0.01, 1000);
  const lineScene = new Scene();
  const orbit = new Orbit();
  const cameras = new CameraLayer();
  const paths = new PathLayer();
  lineScene.add(paths.object, cameras.object);
  const eyeDome = renderer.extensions.has("EXT_color_buffer_float") ? new EyeDome(LOW, HIGH) : undefined;
  const stop = new AbortController();
  const motion = matchMedia("(prefers-reduced-motion: reduce)");
  orbit.reducedMotion = motion.matches;

  let source: SpaceSource | undefined;
  let unsubscribe = () => {};
  let origin: Vec3 = [0, 0, 0];
  let hasOrigin = false;
  const sceneFromModel = new Quaternion();
  let bounds: Bounds | undefined;
  let pointScale = 1;
  let touched = false;
  let framed = false;
  let selected: string | undefined;
  let hovered: string | undefined;
  let anchor: { x: number; y: number; atMs: number; point: Vec3 } | undefined;
  let drawnAtMs = 0;
  let refreshedAtMs = -Infinity;
  let frameRequest = 0;
  let later: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let looking: ReturnType<typeof setTimeout> | undefined;
  let wasStill = false;
  let lost = false;
  let insets = options.insets ?? { top: 0, right: 0, bottom: 0, left: 0 };
  let width = 1;
  let height = 1;
  let pixelRatio = 1;

  const gl = renderer.getContext() as WebGL2RenderingContext;
  const machine = matchMedia("(pointer: coarse) and (max-width: 900px)").matches ? "phone" : "other";
  const points = new PointScene(gl, {
    startPoints: options.startPoints ?? START_POINTS[machine],
    mostPoints: options.mostPoints ?? options.startPoints ?? MOST_POINTS[machine],
    stillMs: options.stillMs,
    reducedMotion: () => motion.matches,
    onChange: () => requestFrame(),
    onProblem: (error) => options.onProblem?.(error),
  });

  function shownCameras(): CameraState[] {
    // Cameras of the generation on screen; its state is let go when a newer one is published, a moment before the switch.
    const state = source?.state.generations[points.cloud.generation];
    return state ? Object.values(state.cameras) : [];
  }

  let held = false;
  const refiner = new Refiner(
    gl,
    (costMs) => {
      if (!held && points.refine(costMs)) requestFrame();
      tellStill();
    },
    () => requestFrame(),
  );

  let lastStats = "";
  function stats(): ViewerStats {
    return { ...points.cloud.stats, generation: points.cloud.generation, cameras: cameras.count };
  }

  /** Takes over what changed in the state or the points. */
  function refresh(): void {
    refreshedAtMs = performance.now();
    const generation = points.cloud.generation;
    const waiting = generation > 0 && source && !source.state.generations[generation];
    if (!waiting) {
      const posed = shownCameras();
      const centers = posed.map(({ pose }) => cameraCenter(pose));
      const first = firstPoint() ?? centers[0];
      if (!hasOrigin && first) {
        origin = first;
        hasOrigin = true;
      }
      if (!touched && (posed.length > 0 || first)) {
        const poses = posed.map(({ pose }) => pose);
        const [x, y, z] = upOf(poses, georeferenceOf(source?.state, generation));
        sceneFromModel.setFromUnitVectors(new Vector3(x, y, z), new Vector3(0, 1, 0));
      }
      const inScene = centers.map(toScene);
      const { positions, count } = scenePositions();
      bounds = robustBounds(positions, count, inScene);
      const heights = robustBounds(positions, count, [], 0.01);
      if (heights) points.setHeights(heights.min[1], heights.max[1]);
      const depth = frustumDepth(centers, bounds ? radius(bounds) : 1);
      cameras.set(posed, origin, depth, performance.now());
      const centreOf = new Map(posed.map(({ image }, i) => [image, centers[i]!]));
      paths.set(Object.values(source?.state.paths ?? {}), centreOf, origin, depth, performance.now());
      if (!framed && (posed.length > 0 || count > 0)) {
        cameras.settle();
        paths.settle();
      }
      if (!touched) autoFrame(positions, count, inScene);
    }
    placeObjects();
    tellStats();
    requestFrame();
  }

  function tellStats(): void {
    const now = stats();
    const text = JSON.stringify(now);
    if (text === lastStats) return;
    lastStats = text;
    options.onStats?.(now);
  }

  function isStill(): boolean {
    return !lost && frameRequest === 0 && later === undefined && !refiner.waiting && points.cloud.settled;
  }

  function tellStill(): void {
    clearTimeout(looking);
    if (stop.signal.aborted) return;
    const now = isStill();
    if (!now && frameRequest === 0) looking = setTimeout(tellStill, STILL_LOOK_MS);
    if (now === wasStill) return;
    wasStill = now;
    options.onStill?.(now);
  }

  function toScene([x, y, z]: Vec3): Vec3 {
    const v = new Vector3(x - origin[0], y - origin[1], z - origin[2]).applyQuaternion(sceneFromModel);
    return [v.x, v.y, v.z];
  }

  function firstPoint(): Vec3 | undefined {
    for (const { state, sample } of points.cloud.samples()) {
      const [x, y, z] = sample.positions;
      if (x !== undefined && y !== undefined && z !== undefined) return inModel(state, [x, y, z]);
    }
    return boxCorners()[0];
  }

  /** Corners of the layers, model frame. Before a point is here they say where to look, or none would ever be in sight. */
  function boxCorners(): Vec3[] {
    if (!source) return [];
    return shownLayers(source.state).flatMap((layer) => {
      const { min, max } = layer;
      if (!min || !max) return [];
      const corners = Array.from({ length: 8 }, (_, i) => min.map((low, axis) => ((i >> axis) & 1 ? max[axis]! : low)));
      return corners.map(([x, y, z]) => inModel(layer, [x!, y!, z!]));
    });
  }

  /** A sample of the points, in the scene's frame: enough to frame by. While nothing is there, their boxes. */
  function scenePositions(): { positions: Float32Array; count: number } {
    const layers = [...points.cloud.samples()];
    if (shownCameras().length === 0 && layers.every(({ sample }) => sample.count === 0)) {
      const corners = boxCorners().map(toScene);
      return { positions: Float32Array.from(corners.flat()), count: corners.length };
    }
    const positions = new Float32Array(layers.reduce((sum, { sample }) => sum + sample.count, 0) * 3);
    let count = 0;
    for (const { state, sample } of layers) {
      const values = sample.positions;
      for (let i = 0; i < sample.count; i++) {
        const point: Vec3 = [values[i * 3]!, values[i * 3 + 1]!, values[i * 3 + 2]!];
        positions.set(toScene(inModel(state, point)), count++ * 3);
      }
    }
    return { positions, count };
  }

  /** Positions are relative to `local` (model frame, double); differences of doubles first, singles after. */
  function sceneFromLocal(local: Vec3): Matrix4 {
    const shift = new Vector3(local[0] - origin[0], local[1] - origin[1], local[2] - origin[2]);
    return new Matrix4().compose(shift.applyQuaternion(sceneFromModel), sceneFromModel, new Vector3(1, 1, 1));
  }

  function placeObjects(): void {
    for (const { object } of [cameras, paths]) {
      object.matrix.copy(sceneFromLocal(origin));
      object.matrixWorldNeedsUpdate = true;
    }
  }

  function autoFrame(positions: Float32Array, count: number, centers: readonly Vec3[]): void {
    if (!bounds) return;
    const near = foreground(positions, count, centers);
    const nearCount = near.length / 3;
    const shown = robustBounds(near, nearCount, centers) ?? bounds;
    const scene = robustBounds(near, nearCount, nearCount > 0 ? [] : centers, 0.1) ?? bounds;
    const direction = viewDirection(center(scene), centers);
    const freeWidth = Math.max(80, width - insets.left - insets.right);
    const freeHeight = Math.max(80, height - insets.top - insets.bottom);
    const fovY = 2 * Math.atan(Math.tan(FOV_Y / 2) * (freeHeight / height));
    const view = fitView(center(shown), near, nearCount, centers, direction, fovY, freeWidth / freeHeight);
    if (framed && isLike(view, orbit.goal)) return;
    orbit.glideTo(view, !framed);
    framed = true;
  }

  function resize(): void {
    width = Math.max(1, canvas.clientWidth);
    height = Math.max(1, canvas.clientHeight);
    pixelRatio = Math.min(devicePixelRatio || 1, MAX_PIXEL_RATIO);
    renderer.setPixelRatio(pixelRatio);
    renderer.setSize(width, height, false);
    refresh();
    if (!lost) draw(performance.now()); // in the same task: a resized canvas is blank until it is drawn
  }

  function requestFrame(): void {
    if (frameRequest !== 0 || stop.signal.aborted) return;
    frameRequest = requestAnimationFrame(draw);
    tellStill();
  }

  let inARow = false;
  function draw(nowMs: number): void {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    if (lost) return;
    const time = performance.now();
    const elapsedMs = nowMs - drawnAtMs;
    if (inARow) points.budget.frame(elapsedMs, points.cloud.short);
    else points.budget.rest();
    const moving = orbit.step(Math.min(200, Math.max(1, elapsedMs)));
    if (moving) points.budget.move();
    drawnAtMs = nowMs;
    const marked = paths.paint(time);
    const glowing = cameras.paint(time) || marked;
    updateCamera();
    const eye = eyeNow();
    const generation = points.cloud.generation;
    const changing = points.step(time, eye, source?.state);
    source?.view?.(viewMessage(eye, points.budget.points));
    updateLines();
    const pass = eyeDome ? "light" : "flat";
    const drawPoints = () => points.draw(pass, time, eye, pointScale);
    if (eyeDome) eyeDome.render(renderer, camera, pixelRatio, drawPoints);
    else {
      renderer.setRenderTarget(null);
      renderer.setClearColor(0x0d1117, 1);
      renderer.clear();
      drawPoints();
      renderer.resetState();
    }
    renderer.render(lineScene, camera);
    if (changing) tellStats();
    const switched = generation !== points.cloud.generation;
    if (switched || (changing && time - refreshedAtMs > REFRAME_MS)) refresh();
    else if (changing && !touched) refreshLater();
    inARow = moving || changing || glowing;
    refiner.stop();
    if (inARow) {
      refiner.changed();
      requestFrame();
    } else {
      drawnAtMs = performance.now();
      refiner.drawn(time);
    }
    lookAgain(time);
    tellStill();
  }

  /** What came last is framed too, though nothing comes after it. */
  function refreshLater(): void {
    later ??= setTimeout(() => {
      later = undefined;
      if (!stop.signal.aborted) refresh();
    }, REFRAME_MS);
  }

  /** Nothing may happen until a failed request is due or a generation has waited long enough. */
  function lookAgain(time: number): void {
    clearTimeout(again);
    const at = points.cloud.againAtMs;
    again = at === undefined ? undefined : setTimeout(requestFrame, Math.max(30, at - time));
  }

  function updateCamera(): void {
    const { target, distance } = orbit.view;
    const [x, y, z] = orbit.position;
    camera.aspect = width / height;
    // Near enough that a surface one looks along is not cut; far enough for all there is.
    camera.near = distance / 800;
    camera.far = distance * 150;
    // The middle of what the panels leave free, not of the canvas, is where the target is seen.
    const shiftX = (insets.right - insets.left) / 2;
    const shiftY = (insets.bottom - insets.top) / 2;
    camera.setViewOffset(width, height, shiftX, shiftY, width, height);
    camera.position.set(x, y, z);
    camera.lookAt(target[0], target[1], target[2]);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  function eyeNow(): Eye {
    const modelFromScene = sceneFromModel.clone().invert();
    const axis = (x: number, y: number, z: number): Vec3 => {
      const v = new Vector3(x, y, z).transformDirection(camera.matrixWorld).applyQuaternion(modelFromScene);
      return [v.x, v.y, v.z];
    };
    const at = camera.position.clone().applyQuaternion(modelFromScene);
    const p = camera.projectionMatrix.elements;
    return {
      origin,
      sceneFromModel,
      eyeFromScene: camera.matrixWorldInverse,
      clipFromEye: camera.projectionMatrix,
      view: {
        position: [origin[0] + at.x, origin[1] + at.y, origin[2] + at.z],
        axes: [axis(1, 0, 0), axis(0, -1, 0), axis(0, 0, -1)],
        // The picture is not centred on the axis: the wider half counts on both sides.
        tanX: (1 + Math.abs(p[8]!)) / p[0]!,
        tanY: (1 + Math.abs(p[9]!)) / p[5]!,
        focalPx: (height * Math.min(pixelRatio, 1.5)) / (2 * Math.tan(FOV_Y / 2)),
      },
      widthPx: width * pixelRatio,
      heightPx: height * pixelRatio,
      pixelRatio,
    };
  }

  function updateLines(): void {
    for (const { object } of [cameras, paths]) {
      const lines = object.material.uniforms;
      lines.uScreenPx!.value.set((width * pixelRatio) / 2, (height * pixelRatio) / 2);
      lines.uWidthPx!.value = 1.35 * pixelRatio;
      lines.uNear!.value = camera.near;
    }
  }

  function pick(xPx: number, yPx: number): Picked | undefined {
    if (lost) return undefined;
    updateCamera();
    const found = points.pick(xPx / width, yPx / height, eyeNow(), pointScale, performance.now());
    renderer.resetState();
    return found;
  }

  function clipFromScene(): Matrix4 {
    updateCamera();
    return new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
  }

  /** The point of the cloud at a place of the canvas; where there is none, of the plane through the target. */
  function pointAt(xPx: number, yPx: number, onlyPoints: boolean): Vec3 | undefined {
    const found = pick(xPx, yPx);
    if (found) return toScene(found.point);
    if (onlyPoints) return undefined;
    const clip = clipFromScene();
    const target = new Vector3(...orbit.view.target).applyMatrix4(clip);
    const v = new Vector3((xPx / width) * 2 - 1, 1 - (yPx / height) * 2, target.z).applyMatrix4(clip.invert());
    return [v.x, v.y, v.z];
  }

  function mark(): void {
    if (cameras.choose(selected, hovered)) requestFrame();
    canvas.style.cursor = hovered ? "pointer" : "";
  }

  function frame(): void {
    touched = false;
    refresh();
  }

  function touch(): void {
    touched = true;
    points.budget.move();
    refiner.changed();
  }

  listen(
    canvas,
    {
      rotate(rightPx, upPx) {
        touch();
        orbit.rotate((rightPx / height) * Math.PI, (upPx / height) * Math.PI);
        requestFrame();
      },
      pan(rightPx, downPx) {
        touch();
        orbit.pan(rightPx / height, -downPx / height, FOV_Y);
        requestFrame();
      },
      zoom(factor, xPx, yPx) {
        touch();
        // One turn of the wheel is many events: what it points at is looked up once.
        const nowMs = performance.now();
        const known = anchor && nowMs - anchor.atMs < 300 && Math.hypot(anchor.x - xPx, anchor.y - yPx) < 3;
        const point = (known && anchor?.point) || pointAt(xPx, yPx, false)!;
        anchor = { x: xPx, y: yPx, atMs: nowMs, point };
        orbit.zoom(factor, point);
        requestFrame();
      },
      pivot(xPx, yPx) {
        const point = pointAt(xPx, yPx, true);
        if (!point) return;
        touch();
        orbit.setPivot(point);
        requestFrame();
      },
      frame,
      hold(down) {
        held = down;
        if (!down) requestFrame();
      },
      hover(at) {
        const visible = at && cameras.object.visible;
        const image = visible ? cameras.pick(clipFromScene(), at.xPx, at.yPx, width, height) : undefined;
        const changed = image !== hovered;
        hovered = image;
        mark();
        if (changed || image) options.onHover?.(image && at ? { image, ...at } : undefined);
      },
      click(xPx, yPx) {
        const visible = cameras.object.visible;
        const image = visible ? cameras.pick(clipFromScene(), xPx, yPx, width, height) : undefined;
        selected = image;
        mark();
        options.onSelect?.(image);
      },
    },
    stop.signal,
  );

  canvas.addEventListener(
    "webglcontextlost",
    (event) => {
      event.preventDefault(); // says that we want it back
      lost = true;
      refiner.stop();
      tellStill();
      options.onContext?.(false);
    },
    { signal: stop.signal },
  );
  canvas.addEventListener(
    "webglcontextrestored",
    () => {
      lost = false;
      points.restore(); // what is three's it uploads itself
      options.onContext?.(true);
      requestFrame();
    },
    { signal: stop.signal },
  );
  motion.addEventListener("change", () => (orbit.reducedMotion = motion.matches), { signal: stop.signal });
  const sizes = new ResizeObserver(resize);
  sizes.observe(canvas);
  resize();

  return {
    follow(next) {
      unsubscribe();
      source = next;
      hasOrigin = false;
      touched = false;
      framed = false;
      selected = undefined;
      hovered = undefined;
      cameras.clear();
      paths.clear();
      points.follow(next);
      unsubscribe = next?.on("state", refresh) ?? (() => {});
      refresh();
    },
    setPointSize(scale) {
      pointScale = Math.min(4, Math.max(0.25, scale));
      requestFrame();
    },
    setCamerasVisible(visible) {
      cameras.object.visible = visible;
      paths.object.visible = visible;
      requestFrame();
    },
    setColorMode(mode) {
      points.setMode(mode);
      requestFrame();
    },
    legend: () => source && points.legend(source.state, origin, sceneFromModel),
    pick,
    setInsets(next) {
      insets = next;
      refresh();
    },
    select(image) {
      selected = image;
      mark();
    },
    viewFrom(image) {
      const found = shownCameras().find((each) => each.image === image);
      if (!found || !bounds) return false;
      const [x, y, z] = rotationRows(found.pose.rotation)[2];
      const forward = new Vector3(x, y, z).applyQuaternion(sceneFromModel);
      const from = toScene(cameraCenter(found.pose));
      const middle = center(bounds);
      const reach =
        (middle[0] - from[0]) * forward.x + (middle[1] - from[1]) * forward.y + (middle[2] - from[2]) * forward.z;
      const distance = Math.max(reach, radius(bounds) * 0.2);
      touched = true;
      orbit.glideTo({
        target: [from[0] + forward.x * distance, from[1] + forward.y * distance, from[2] + forward.z * distance],
        distance,
        azimuth: Math.atan2(-forward.x, -forward.z),
        elevation: Math.asin(Math.max(-1, Math.min(1, -forward.y))),
      });
      requestFrame();
      return true;
    },
    frame,
    get stats() {
      return stats();
    },
    get still() {
      return isStill();
    },
    dispose() {
      unsubscribe();
      stop.abort();
      sizes.disconnect();
      clearTimeout(again);
      clearTimeout(later);
      clearTimeout(looking);
      refiner.stop();
      source = undefined;
      points.dispose();
      cancelAnimationFrame(frameRequest);
      cameras.dispose();
      paths.dispose();
      eyeDome?.dispose();
      renderer.dispose();
    },
  };
}
