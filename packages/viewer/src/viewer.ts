/**
 * Shows a space on a canvas and follows it. Draws when something changed and not otherwise.
 * Frames: the model's frame is arbitrary; the scene is the model about an origin near it, turned so that y is up.
 */
import { type CameraState, centreOf, type Vec3 } from "@cairn/protocol";
import { Vector3 } from "three";
import type { CloudStats } from "./cloud.ts";
import type { ColorMode, Legend } from "./color-modes.ts";
import { eyeOf } from "./eye.ts";
import { type Bounds, isLike, radius, robustBounds, viewOfPhoto, viewOfScene } from "./framing.ts";
import { georeferenceOf } from "./height.ts";
import { listen } from "./input.ts";
import { LineScene } from "./line-scene.ts";
import { Orbit } from "./orbit.ts";
import { Picture } from "./picture.ts";
import { type Picked, PointScene } from "./point-scene.ts";
import { Refiner } from "./refiner.ts";
import { SceneFrame } from "./scene-frame.ts";
import { firstPoint, sceneSample } from "./scene-sample.ts";
import type { SpaceSource } from "./source.ts";
import { steer } from "./steer.ts";
import { Stillness } from "./stillness.ts";
import { rotationRows, upOf } from "./up.ts";
import { viewMessage } from "./view-message.ts";
import { type Insets, Viewport } from "./viewport.ts";

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
  insets?: Insets;
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
  setInsets(insets: Insets): void;
  /** Marks the camera of this image. */
  select(image: string | undefined): void;
  /** Glides to where this image was taken from; `false` when it has no camera. */
  viewFrom(image: string): boolean;
  /** Glides to a view of everything, and keeps everything in view until the next touch. */
  frame(): void;
  readonly stats: ViewerStats;
  /**
   * All that the view wants is here and drawn, and the picture stays as it is while nobody does anything, or until a
   * machine that was too busy for a finer one has time. Whatever is asked of the viewer ends that before the call returns.
   */
  readonly still: boolean;
  dispose(): void;
};

/** A phone's memory and GPU take half of what others do. */
const START_POINTS = { phone: 1_000_000, other: 2_000_000 } as const;
const MOST_POINTS = { phone: 1_500_000, other: 4_000_000 } as const;
/** While points stream in, the scene is framed anew so often. */
const REFRAME_MS = 160;

/** @throws {Error} when the browser has no WebGL 2 */
export function createViewer(canvas: HTMLCanvasElement, options: ViewerOptions = {}): Viewer {
  const stop = new AbortController();
  const picture = new Picture(canvas, onContext, stop.signal);
  const orbit = new Orbit();
  const viewport = new Viewport(canvas, orbit, options.insets);
  const frame = new SceneFrame();
  const lines = new LineScene();
  const motion = matchMedia("(prefers-reduced-motion: reduce)");
  orbit.reducedMotion = motion.matches;

  let source: SpaceSource | undefined;
  let unsubscribe = () => {};
  /** Of what is shown, scene. */
  let bounds: Bounds | undefined;
  let pointScale = 1;
  let touched = false;
  let framed = false;
  let held = false;
  let selected: string | undefined;
  let hovered: string | undefined;
  let inARow = false;
  let drawnAtMs = 0;
  let refreshedAtMs = -Infinity;
  let frameRequest = 0;
  let later: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let lastStats = "";

  const machine = matchMedia("(pointer: coarse) and (max-width: 900px)").matches ? "phone" : "other";
  const points = new PointScene(picture.gl, {
    startPoints: options.startPoints ?? START_POINTS[machine],
    mostPoints: options.mostPoints ?? options.startPoints ?? MOST_POINTS[machine],
    stillMs: options.stillMs,
    reducedMotion: () => motion.matches,
    onChange: () => requestFrame(),
    onProblem: (error) => options.onProblem?.(error),
  });
  const refiner = new Refiner(
    picture.gl,
    (costMs) => {
      const finer = !held && points.refine(costMs);
      if (finer) requestFrame();
      stillness.look();
      return !finer && points.coarse;
    },
    () => requestFrame(),
  );
  const stillness = new Stillness({
    isStill,
    awaitsFrame: () => frameRequest !== 0,
    onChange: (still) => options.onStill?.(still),
  });

  function isStill(): boolean {
    return !picture.lost && frameRequest === 0 && later === undefined && !refiner.waiting && points.cloud.settled;
  }

  function stats(): ViewerStats {
    return { ...points.cloud.stats, generation: points.cloud.generation, cameras: lines.cameras.count };
  }

  function tellStats(): void {
    const now = stats();
    const text = JSON.stringify(now);
    if (text === lastStats) return;
    lastStats = text;
    options.onStats?.(now);
  }

  function shownCameras(): CameraState[] {
    // Cameras of the generation on screen; its state is let go when a newer one is published, a moment before the switch.
    const state = source?.state.generations[points.cloud.generation];
    return state ? Object.values(state.cameras) : [];
  }

  /** Takes over what changed in the state or the points. */
  function refresh(): void {
    refreshedAtMs = performance.now();
    const generation = points.cloud.generation;
    const waiting = generation > 0 && source && !source.state.generations[generation];
    if (!waiting) takeOver(generation);
    lines.place(frame);
    tellStats();
    requestFrame();
  }

  function takeOver(generation: number): void {
    const state = source?.state;
    const posed = shownCameras();
    const centres = posed.map(({ pose }) => centreOf(pose));
    const first = firstPoint(points.cloud, state) ?? centres[0];
    frame.settle(first);
    if (!touched && (posed.length > 0 || first)) {
      const poses = posed.map(({ pose }) => pose);
      frame.turn(upOf(poses, georeferenceOf(state, generation)));
    }
    const inScene = centres.map((centre) => frame.toScene(centre));
    const { positions, count } = sceneSample(points.cloud, state, frame, posed.length);
    bounds = robustBounds(positions, count, inScene);
    const heights = robustBounds(positions, count, [], 0.01);
    if (heights) points.setHeights(heights.min[1], heights.max[1]);
    const sceneRadius = bounds ? radius(bounds) : 1;
    lines.set(posed, Object.values(state?.paths ?? {}), frame, sceneRadius, performance.now());
    if (!framed && (posed.length > 0 || count > 0)) lines.settle();
    if (touched || !bounds) return;
    const view = viewOfScene(positions, count, inScene, bounds, viewport.free);
    if (framed && isLike(view, orbit.goal)) return;
    orbit.glideTo(view, !framed);
    framed = true;
  }

  /** What came last is framed too, though nothing comes after it. */
  function refreshLater(): void {
    later ??= setTimeout(() => {
      later = undefined;
      if (!stop.signal.aborted) refresh();
    }, REFRAME_MS);
  }

  function resize(): void {
    viewport.measure();
    picture.resize(viewport);
    refresh();
    if (!picture.lost) draw(performance.now()); // in the same task: a resized canvas is blank until it is drawn
  }

  function onContext(restored: boolean): void {
    if (restored)
      points.restore(); // what is three's it uploads itself
    else {
      refiner.stop();
      stillness.look();
    }
    options.onContext?.(restored);
    if (restored) requestFrame();
  }

  function requestFrame(): void {
    if (frameRequest !== 0 || stop.signal.aborted) return;
    frameRequest = requestAnimationFrame(draw);
    stillness.look();
  }

  function draw(nowMs: number): void {
    cancelAnimationFrame(frameRequest);
    frameRequest = 0;
    if (picture.lost) return;
    const time = performance.now();
    const elapsedMs = nowMs - drawnAtMs;
    if (inARow) points.budget.frame(elapsedMs, points.cloud.short);
    else points.budget.rest();
    // The time since the last picture of a still view is none in which it moved.
    const moving = orbit.step(inARow ? Math.min(200, Math.max(1, elapsedMs)) : 16);
    if (moving) points.budget.move();
    drawnAtMs = nowMs;
    const glowing = lines.paint(time);
    viewport.look();
    const eye = eyeOf(viewport, frame);
    const generation = points.cloud.generation;
    const changing = points.step(time, eye, source?.state);
    source?.view?.(viewMessage(eye, points.budget.points));
    const pass = picture.shaded ? "light" : "flat";
    picture.drawPoints(viewport, () => points.draw(pass, time, eye, pointScale));
    lines.fit(viewport);
    picture.draw(lines.scene, viewport.camera);
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
      if (points.coarse) refiner.drawn(time);
    }
    lookAgain(time);
    stillness.look();
  }

  /** Nothing may happen until a failed request is due or a generation has waited long enough. */
  function lookAgain(time: number): void {
    clearTimeout(again);
    const at = points.cloud.againAtMs;
    again = at === undefined ? undefined : setTimeout(requestFrame, Math.max(30, at - time));
  }

  function pick(xPx: number, yPx: number): Picked | undefined {
    if (picture.lost) return undefined;
    viewport.look();
    const { width, height } = viewport;
    const found = points.pick(xPx / width, yPx / height, eyeOf(viewport, frame), pointScale, performance.now());
    picture.forget();
    return found;
  }

  /** The point of the cloud at a place of the canvas, scene. */
  function pointAt(xPx: number, yPx: number): Vec3 | undefined {
    const found = pick(xPx, yPx);
    return found && frame.toScene(found.point);
  }

  function cameraAt(xPx: number, yPx: number): string | undefined {
    if (!lines.visible) return undefined;
    return lines.cameras.pick(viewport.clipFromScene(), xPx, yPx, viewport.width, viewport.height);
  }

  function mark(): void {
    if (lines.cameras.choose(selected, hovered)) requestFrame();
    canvas.style.cursor = hovered ? "pointer" : "";
  }

  function frameAll(): void {
    touched = false;
    refresh();
  }

  listen(
    canvas,
    {
      ...steer(orbit, viewport, {
        hit: pointAt,
        zoomPoint: (xPx, yPx) => pointAt(xPx, yPx) ?? viewport.targetPlaneAt(xPx, yPx),
        touch() {
          // Before anything is shown there is no view to keep.
          touched = framed;
          points.budget.move();
          refiner.changed();
        },
        moved: requestFrame,
      }),
      frame: frameAll,
      hold(down) {
        held = down;
        if (!down) requestFrame();
      },
      hover(at) {
        const image = at && cameraAt(at.xPx, at.yPx);
        const changed = image !== hovered;
        hovered = image;
        mark();
        if (changed || image) options.onHover?.(image && at ? { image, ...at } : undefined);
      },
      click(xPx, yPx) {
        selected = cameraAt(xPx, yPx);
        mark();
        options.onSelect?.(selected);
      },
    },
    stop.signal,
  );
  motion.addEventListener("change", () => (orbit.reducedMotion = motion.matches), { signal: stop.signal });
  addEventListener("online", () => points.cloud.resume(), { signal: stop.signal });
  const sizes = new ResizeObserver(resize);
  sizes.observe(canvas);
  resize();

  return {
    follow(next) {
      unsubscribe();
      source = next;
      frame.reset();
      touched = false;
      framed = false;
      selected = undefined;
      hovered = undefined;
      lines.clear();
      points.follow(next);
      unsubscribe = next?.on("state", refresh) ?? (() => {});
      refresh();
    },
    setPointSize(scale) {
      pointScale = Math.min(4, Math.max(0.25, scale));
      requestFrame();
    },
    setCamerasVisible(visible) {
      lines.visible = visible;
      requestFrame();
    },
    setColorMode(mode) {
      points.setMode(mode);
      requestFrame();
    },
    legend: () => source && points.legend(source.state, frame.origin, frame.sceneFromModel),
    pick,
    setInsets(next) {
      viewport.insets = next;
      refresh();
    },
    select(image) {
      selected = image;
      mark();
    },
    viewFrom(image) {
      const found = shownCameras().find((each) => each.image === image);
      if (!found || !bounds) return false;
      const forward = new Vector3(...rotationRows(found.pose.rotation)[2]).applyQuaternion(frame.sceneFromModel);
      touched = true;
      orbit.glideTo(viewOfPhoto(frame.toScene(centreOf(found.pose)), [forward.x, forward.y, forward.z], bounds));
      requestFrame();
      return true;
    },
    frame: frameAll,
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
      stillness.stop();
      refiner.stop();
      source = undefined;
      points.dispose();
      cancelAnimationFrame(frameRequest);
      lines.dispose();
      picture.dispose();
    },
  };
}
