/**
 * Shows a space on a canvas and follows it. Draws when something changed and not otherwise.
 * Frames: the model's frame is arbitrary; the scene is the model about an origin near it, turned so that y is up.
 */
import type { CameraState, Vec3 } from "@cairn/protocol";
import { GLSL3, Matrix4, PerspectiveCamera, Quaternion, RawShaderMaterial, Scene, Vector3, WebGLRenderer } from "three";
import { CameraLayer, frustumDepth } from "./camera-layer.ts";
import { EyeDome } from "./eye-dome.ts";
import { type Bounds, center, fitView, pointSpacing, radius, robustBounds, viewDirection } from "./framing.ts";
import { Generations } from "./generations.ts";
import { listen } from "./input.ts";
import { Orbit } from "./orbit.ts";
import { pickPoint } from "./pick.ts";
import { PointLayer } from "./point-layer.ts";
import { POINT_FRAGMENT, POINT_VERTEX } from "./shaders.ts";
import type { SpaceSource } from "./source.ts";
import { cameraCenter, estimateUp, rotationRows } from "./up.ts";

export type ViewerStats = { generation: number; points: number; cameras: number; pendingSegments: number };

export type ViewerOptions = {
  /** What is shown has changed. */
  onStats?(stats: ViewerStats): void;
  /** The pointer rests on a camera, or no longer on any. Pixels of the canvas. */
  onHover?(at: { image: string; xPx: number; yPx: number } | undefined): void;
  /** A camera was clicked, or the empty space beside them. */
  onSelect?(image: string | undefined): void;
  /** The picture was lost with the GPU's context (`false`) or is back (`true`). */
  onContext?(restored: boolean): void;
  /** A blob could not be fetched; it is tried again. */
  onProblem?(error: unknown): void;
  /** Room taken by panels over the canvas, CSS pixels: framing keeps the scene beside them. */
  insets?: { top: number; right: number; bottom: number; left: number };
};

export type Viewer = {
  /** Leaves the space before; `undefined` shows nothing. */
  follow(source: SpaceSource | undefined): void;
  /** 1 is the size that suits the cloud's density. */
  setPointSize(scale: number): void;
  setCamerasVisible(visible: boolean): void;
  setInsets(insets: NonNullable<ViewerOptions["insets"]>): void;
  /** Marks the camera of this image. */
  select(image: string | undefined): void;
  /** Glides to where this image was taken from; `false` when it has no camera. */
  viewFrom(image: string): boolean;
  /** Glides to a view of everything, and keeps everything in view until the next touch. */
  frame(): void;
  readonly stats: ViewerStats;
  dispose(): void;
};

const FOV_Y = (50 * Math.PI) / 180;
const MAX_PIXEL_RATIO = 2;
const FADE_MS = 450;
const LOW = new Vector3(0.035, 0.043, 0.055);
const HIGH = new Vector3(0.082, 0.1, 0.125);

/** @throws {Error} when the browser has no WebGL 2 */
export function createViewer(canvas: HTMLCanvasElement, options: ViewerOptions = {}): Viewer {
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: false, powerPreference: "high-performance" });
  renderer.autoClear = false;
  const camera = new PerspectiveCamera((FOV_Y * 180) / Math.PI, 1, 0.01, 1000);
  const pointScene = new Scene();
  const lineScene = new Scene();
  const material = pointMaterial();
  const orbit = new Orbit();
  const cameras = new CameraLayer();
  lineScene.add(cameras.object);
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
  let spacing = { at: 0, value: 0 };
  let pointScale = 1;
  let touched = false;
  let framed = false;
  let selected: string | undefined;
  let hovered: string | undefined;
  let anchor: { x: number; y: number; atMs: number; point: Vec3 } | undefined;
  let freshSinceMs = -Infinity;
  let drawnAtMs = 0;
  let frameRequest = 0;
  let lost = false;
  let insets = options.insets ?? { top: 0, right: 0, bottom: 0, left: 0 };
  let width = 1;
  let height = 1;
  let pixelRatio = 1;

  const generations = new Generations<PointLayer>({
    createSink: () => new PointLayer(material),
    onChange(change) {
      if (change === "switched") {
        pointScene.clear();
        const layer = generations.shown?.sink;
        if (layer) pointScene.add(layer.object);
        spacing = { at: 0, value: 0 };
        freshSinceMs = -Infinity;
      } else freshSinceMs = performance.now();
      refresh();
    },
    onProblem: (error) => options.onProblem?.(error),
  });

  function shownCameras(): CameraState[] {
    const shown = generations.shown;
    // Cameras of the generation on screen; its state is let go when a newer one is published, a moment before the switch.
    const state = shown && source?.state.generations[shown.generation];
    return state ? Object.values(state.cameras) : [];
  }

  let lastStats = "";
  function stats(): ViewerStats {
    const shown = generations.shown;
    return {
      generation: shown?.generation ?? 0,
      points: shown?.sink.pool.count ?? 0,
      cameras: cameras.count,
      pendingSegments: generations.pending,
    };
  }

  /** Takes over what changed in the state or the points. */
  function refresh(): void {
    const layer = generations.shown?.sink;
    const waiting = layer && source && !source.state.generations[generations.shown?.generation ?? 0];
    if (!waiting) {
      const posed = shownCameras();
      const centers = posed.map(({ pose }) => cameraCenter(pose));
      if (!hasOrigin && (layer?.pool.origin ?? centers[0])) {
        origin = layer?.pool.origin ?? centers[0]!;
        hasOrigin = true;
      }
      if (!touched && posed.length > 0) {
        const [x, y, z] = estimateUp(posed.map(({ pose }) => pose));
        sceneFromModel.setFromUnitVectors(new Vector3(x, y, z), new Vector3(0, 1, 0));
      }
      const inScene = centers.map(toScene);
      const { positions, count } = scenePositions(layer);
      bounds = robustBounds(positions, count, inScene);
      if (layer && layer.pool.count > spacing.at * 1.25) {
        spacing = { at: layer.pool.count, value: pointSpacing(layer.pool.positions, layer.pool.count) };
      }
      cameras.set(posed, origin, frustumDepth(centers, bounds ? radius(bounds) : 1), performance.now());
      if (!framed && posed.length > 0) cameras.settle();
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

  function toScene([x, y, z]: Vec3): Vec3 {
    const v = new Vector3(x - origin[0], y - origin[1], z - origin[2]).applyQuaternion(sceneFromModel);
    return [v.x, v.y, v.z];
  }

  /** A sample of the points, in the scene's frame: enough to frame by. */
  function scenePositions(layer: PointLayer | undefined): { positions: Float32Array; count: number } {
    const pool = layer?.pool;
    if (!pool?.origin || pool.count === 0) return { positions: new Float32Array(0), count: 0 };
    const stride = Math.max(1, Math.floor(pool.count / 4096));
    const count = Math.floor(pool.count / stride);
    const positions = new Float32Array(count * 3);
    const matrix = sceneFromLocal(pool.origin);
    const v = new Vector3();
    for (let i = 0; i < count; i++)
      v.fromArray(pool.positions, i * stride * 3)
        .applyMatrix4(matrix)
        .toArray(positions, i * 3);
    return { positions, count };
  }

  /** Positions are relative to `local` (model frame, double); differences of doubles first, singles after. */
  function sceneFromLocal(local: Vec3): Matrix4 {
    const shift = new Vector3(local[0] - origin[0], local[1] - origin[1], local[2] - origin[2]);
    return new Matrix4().compose(shift.applyQuaternion(sceneFromModel), sceneFromModel, new Vector3(1, 1, 1));
  }

  function placeObjects(): void {
    const layer = generations.shown?.sink;
    if (layer?.pool.origin) layer.place(sceneFromLocal(layer.pool.origin));
    cameras.object.matrix.copy(sceneFromLocal(origin));
    cameras.object.matrixWorldNeedsUpdate = true;
  }

  function autoFrame(positions: Float32Array, count: number, centers: readonly Vec3[]): void {
    if (!bounds) return;
    const scene = robustBounds(positions, count, count > 0 ? [] : centers, 0.1) ?? bounds;
    const direction = viewDirection(center(scene), centers);
    const freeWidth = Math.max(80, width - insets.left - insets.right);
    const freeHeight = Math.max(80, height - insets.top - insets.bottom);
    const fovY = 2 * Math.atan(Math.tan(FOV_Y / 2) * (freeHeight / height));
    const view = fitView(center(bounds), positions, count, centers, direction, fovY, freeWidth / freeHeight);
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
    if (frameRequest === 0 && !stop.signal.aborted) frameRequest = requestAnimationFrame(draw);
  }

  function draw(nowMs: number): void {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    if (lost) return;
    const moving = orbit.step(Math.min(200, Math.max(1, nowMs - drawnAtMs)));
    drawnAtMs = nowMs;
    const glowing = cameras.paint(performance.now());
    const fresh = motion.matches ? 1 : Math.min(1, (performance.now() - freshSinceMs) / FADE_MS);
    updateCamera();
    updateUniforms(fresh);
    if (eyeDome) eyeDome.render(renderer, pointScene, camera, pixelRatio);
    else {
      renderer.setClearColor(0x0d1117, 1);
      renderer.clear();
      renderer.render(pointScene, camera);
    }
    renderer.render(lineScene, camera);
    if (moving || fresh < 1 || glowing) requestFrame();
    else drawnAtMs = performance.now();
  }

  function updateCamera(): void {
    const { target, distance } = orbit.view;
    const [x, y, z] = orbit.position;
    camera.aspect = width / height;
    camera.near = distance / 120;
    camera.far = distance * 120;
    // The middle of what the panels leave free, not of the canvas, is where the target is seen.
    const shiftX = (insets.right - insets.left) / 2;
    const shiftY = (insets.bottom - insets.top) / 2;
    camera.setViewOffset(width, height, shiftX, shiftY, width, height);
    camera.position.set(x, y, z);
    camera.lookAt(target[0], target[1], target[2]);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  function updateUniforms(fresh: number): void {
    const uniforms = material.uniforms as Record<string, { value: number }>;
    uniforms.uPxPerUnit!.value = (height * pixelRatio) / (2 * Math.tan(FOV_Y / 2));
    uniforms.uSize!.value = spacing.value * 2.1 * pointScale;
    uniforms.uMinPx!.value = 2.5 * pixelRatio * Math.sqrt(pointScale);
    uniforms.uMaxPx!.value = 10 * pixelRatio * pointScale;
    uniforms.uFreshFrom!.value = generations.shown?.sink.freshFrom ?? 0;
    uniforms.uFresh!.value = 0.25 + 0.75 * fresh;
    const lines = cameras.object.material.uniforms;
    lines.uScreenPx!.value.set((width * pixelRatio) / 2, (height * pixelRatio) / 2);
    lines.uWidthPx!.value = 1.35 * pixelRatio;
    lines.uNear!.value = camera.near;
  }

  function clipFromScene(): Matrix4 {
    updateCamera();
    return new Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse);
  }

  /** The point of the cloud at a place of the canvas; where there is none, of the plane through the target. */
  function pointAt(xPx: number, yPx: number, onlyPoints: boolean): Vec3 | undefined {
    const clip = clipFromScene();
    const layer = generations.shown?.sink;
    if (layer) {
      const m = new Matrix4().multiplyMatrices(clip, layer.object.matrix);
      const { positions, count } = layer.pool;
      const index = pickPoint(positions, count, m.elements, xPx, yPx, width, height, 12);
      if (index >= 0) {
        const v = new Vector3().fromArray(positions, index * 3).applyMatrix4(layer.object.matrix);
        return [v.x, v.y, v.z];
      }
    }
    if (onlyPoints) return undefined;
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

  listen(
    canvas,
    {
      rotate(rightPx, upPx) {
        touched = true;
        orbit.rotate((rightPx / height) * Math.PI, (upPx / height) * Math.PI);
        requestFrame();
      },
      pan(rightPx, downPx) {
        touched = true;
        orbit.pan(rightPx / height, -downPx / height, FOV_Y);
        requestFrame();
      },
      zoom(factor, xPx, yPx) {
        touched = true;
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
        touched = true;
        orbit.setPivot(point);
        requestFrame();
      },
      frame,
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
      event.preventDefault(); // says that we want it back; three.js then uploads everything again
      lost = true;
      options.onContext?.(false);
    },
    { signal: stop.signal },
  );
  canvas.addEventListener(
    "webglcontextrestored",
    () => {
      lost = false;
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
      generations.follow(next);
      unsubscribe = next?.on("state", refresh) ?? (() => {});
      refresh();
    },
    setPointSize(scale) {
      pointScale = Math.min(4, Math.max(0.25, scale));
      requestFrame();
    },
    setCamerasVisible(visible) {
      cameras.object.visible = visible;
      requestFrame();
    },
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
    dispose() {
      unsubscribe();
      stop.abort();
      sizes.disconnect();
      cancelAnimationFrame(frameRequest);
      source = undefined;
      generations.follow(undefined);
      cancelAnimationFrame(frameRequest);
      cameras.dispose();
      material.dispose();
      eyeDome?.dispose();
      renderer.dispose();
    },
  };
}

function pointMaterial(): RawShaderMaterial {
  const names = ["uSize", "uPxPerUnit", "uMinPx", "uMaxPx", "uFreshFrom", "uFresh"];
  return new RawShaderMaterial({
    glslVersion: GLSL3,
    vertexShader: POINT_VERTEX,
    fragmentShader: POINT_FRAGMENT,
    uniforms: Object.fromEntries(names.map((name) => [name, { value: 1 }])),
  });
}
