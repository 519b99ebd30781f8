/**
 * Hints for the photographer, at most two for a photo: one about how it was taken, one about what the model lacks where
 * it looks. Only news: the same hint is given again after a while, or about another part, never at every photo.
 */
import { cameraCentre, projectPoint } from "@cairn/geometry";
import type { Hint, HintCode, Vec3, Verdict } from "@cairn/protocol";
import type { Pair } from "../mapper/pair.ts";
import type { Scene } from "../mapper/scene.ts";
import {
  hardlyTurned,
  lessSharp,
  looksLikeOthers,
  medianDepth,
  movingPart,
  smallOverlap,
  smallSteps,
  turnedOnTheSpot,
} from "./capture.ts";
import { gainOf, patchSize, type SurfacePatch, surfacePatches } from "./coverage.ts";
import { holdingEdges, matchEdges, weakLinks } from "./match-graph.ts";
import { helpfulStep } from "./next-view.ts";
import { looksRepetitive } from "./self-similar.ts";

/** Before so many photos have a place there is nothing to compare with. */
const MIN_VIEWS = 4;
/** Nor have parts of the surface been left behind. */
const MIN_SIDE_VIEWS = 6;
/** A part that the photo does not see is left behind when it was first seen so many photos ago. */
const RECENT = 3;
/** One that it sees was looked at long enough. */
const LONG = 6;
/** Between two hints about parts of the surface: time to follow the first. */
const SIDE_PAUSE = 5;
/** The same words about how photos are taken come again after so many photos. */
const SAME_PAUSE = 5;
/** A part is near when it is in the picture, or this share of the picture's size beside it. */
const BESIDE = 0.3;
/** Parts seen from so wide an angle need nothing. */
const WIDE_DEG = 10;
const MIN_PATCH_POINTS = 8;
/** Of the inliers of all pairs, so many in pairs that see one plane make a flat scene. */
const FLAT_SHARE = 0.8;
const FLAT_VIEWS = 3;
/** Both parts of a model that hangs by a thread must be worth the name. */
const WEAK_PART = 3;
const KEPT = 200;

type Told = {
  readonly code: HintCode;
  readonly view: number;
  readonly point: Vec3 | undefined;
  readonly reach: number;
};

export class Hints {
  #told: Told[] = [];

  /** What there is to say after a photo. @param verdict the last word on it */
  afterPhoto(scene: Scene, pairs: readonly Pair[], view: number, verdict: Verdict): Hint[] {
    const hints = [this.#howTaken(scene, pairs, view, verdict), this.#whereThin(scene, view)];
    return hints.filter((hint) => hint !== undefined);
  }

  /** What there is to say about the whole, once everything was refined. */
  afterRebuild(scene: Scene, pairs: readonly Pair[]): Hint[] {
    const last = scene.views.length - 1;
    if (isFlat(scene, pairs)) {
      if (!this.#told.some(({ code }) => code === "flat")) return this.#say({ code: "flat" }, last);
    } else this.#told = this.#told.filter(({ code }) => code !== "flat");
    const [link] = weakLinks(scene.views.length, holdingEdges(matchEdges(scene, pairs)));
    if (!link || link.parts[1] < WEAK_PART) return [];
    const centres = link.photos.map((view) => cameraCentre(scene.poses, view * 12));
    const point = [0, 1, 2].map((axis) => centres.reduce((sum, c) => sum + c[axis], 0) / centres.length);
    const [x, y, z] = point;
    const region = { point: [x, y, z] as Vec3, radius: scene.size() / 8 };
    return this.#isNews("weak_link", region.point, region.radius) ? this.#say({ code: "weak_link", region }, last) : [];
  }

  #howTaken(scene: Scene, pairs: readonly Pair[], view: number, verdict: Verdict): Hint | undefined {
    const code = this.#captureCode(scene, pairs, view, verdict);
    if (code === "moving") {
      const point = movingPart(scene, pairs, view)!;
      const radius = (medianDepth(scene, view) ?? 1) / 10;
      return this.#isNews(code, point, 3 * radius)
        ? this.#say({ code, region: { point, radius } }, view)[0]
        : undefined;
    }
    return code && this.#isQuiet(code, view, SAME_PAUSE) ? this.#say({ code }, view)[0] : undefined;
  }

  #captureCode(scene: Scene, pairs: readonly Pair[], view: number, { verdict, reason }: Verdict): HintCode | undefined {
    if (verdict !== "registered") {
      if (reason === "blurred") return "blurred";
      if (reason === "rotation_only") return hardlyTurned(pairs, view) ? "small_steps" : "rotation";
      if (reason === "repetitive") return "repetitive";
      return reason === "weak_overlap" && scene.posed.length >= MIN_VIEWS ? "small_overlap" : undefined;
    }
    if (scene.posed.length < MIN_VIEWS) return undefined;
    if (lessSharp(scene, view)) return "blurred";
    if (turnedOnTheSpot(scene, view)) return "rotation";
    if (looksLikeOthers(scene, pairs, view) || looksRepetitive(scene.views[view].features)) return "repetitive";
    if (movingPart(scene, pairs, view)) return "moving";
    if (smallOverlap(scene, view)) return "small_overlap";
    return smallSteps(scene, view) ? "small_steps" : undefined;
  }

  /** The part near what a photo sees that another photo from aside would help most, if the photographer has left it. */
  #whereThin(scene: Scene, view: number): Hint | undefined {
    if (!scene.isPosed(view) || scene.posed.length < MIN_SIDE_VIEWS) return undefined;
    if (!this.#isQuiet("thin_side", view, SIDE_PAUSE)) return undefined;
    const edge = patchSize(scene);
    const thin = surfacePatches(scene, edge, { views: nearViews(scene, view) })
      .filter((patch) => patch.spreadDeg < WIDE_DEG && patch.points >= MIN_PATCH_POINTS)
      .filter((patch) => isLeft(patch, view) && isNear(scene, view, patch))
      .sort((p, q) => gainOf(q) - gainOf(p));
    const found = thin.find(({ point }) => this.#isNews("thin_side", point, 4 * edge));
    if (!found) return undefined;
    const seenFrom = found.seenBy.map((each) => cameraCentre(scene.poses, each * 12));
    const step = helpfulStep(scene.pose(view), found.point, seenFrom);
    return this.#say(
      { code: "thin_side", region: { point: found.point, radius: edge }, ...(step && { step }) },
      view,
    )[0];
  }

  #say(hint: Hint, view: number): Hint[] {
    this.#told.push({ code: hint.code, view, point: hint.region?.point, reach: hint.region?.radius ?? 0 });
    this.#told.splice(0, Math.max(0, this.#told.length - KEPT));
    return [hint];
  }

  #isQuiet(code: HintCode, view: number, pause: number): boolean {
    return !this.#told.some((told) => told.code === code && told.view > view - pause);
  }

  #isNews(code: HintCode, point: Vec3, reach: number): boolean {
    return !this.#told.some(
      (told) =>
        told.code === code &&
        told.point !== undefined &&
        Math.hypot(...told.point.map((x, axis) => x - point[axis])) < Math.max(reach, 2 * told.reach),
    );
  }
}

/** The photo and those that share most with it. */
function nearViews(scene: Scene, view: number): number[] {
  const shared = new Map<number, number>();
  for (const [, track] of scene.tracks.ofView(view)) {
    if (!track.point) continue;
    for (const other of track.views) if (scene.isPosed(other)) shared.set(other, (shared.get(other) ?? 0) + 1);
  }
  shared.delete(view);
  const nearest = [...shared].sort((p, q) => q[1] - p[1] || p[0] - q[0]).slice(0, 5);
  return [view, ...nearest.map(([other]) => other)];
}

/** Whether it is time that a part gets another side: the photographer is past it, or has looked at it for long. */
function isLeft({ seenBy }: SurfacePatch, view: number): boolean {
  return seenBy[0] <= view - (seenBy.includes(view) ? LONG : RECENT);
}

function isNear(scene: Scene, view: number, { point: [x, y, z] }: SurfacePatch): boolean {
  const { photo, lens, principal } = scene.views[view];
  const pixel = new Float64Array(2);
  if (!(projectPoint(scene.poses, view * 12, scene.calibrations, lens * 6, x, y, z, pixel) > 0)) return false;
  const [u, v] = [(pixel[0] + principal.x) / photo.widthPx, (pixel[1] + principal.y) / photo.heightPx];
  return u >= -BESIDE && v >= -BESIDE && u <= 1 + BESIDE && v <= 1 + BESIDE;
}

/** Whether nearly everything that ties the posed photos to one another lies in one plane. */
function isFlat(scene: Scene, pairs: readonly Pair[]): boolean {
  if (scene.posed.length < FLAT_VIEWS) return false;
  let planar = 0;
  let all = 0;
  for (const { a, b, kind, kept } of pairs) {
    if (kind === "rotation" || !scene.isPosed(a) || !scene.isPosed(b)) continue;
    all += kept.length;
    if (kind === "planar") planar += kept.length;
  }
  return all > 0 && planar >= FLAT_SHARE * all;
}
