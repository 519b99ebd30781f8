/** For tests of the viewer: what is shown, once the view is still, pixel by pixel and frame by frame. */
import type { EventDraft, Similarity, Vec3 } from "@cairn/protocol";
import type { TestLayer, TestSpace } from "@cairn/viewer/test";
import type { Page } from "playwright-core";
import sharp from "sharp";
import type { Harness } from "./harness.ts";

declare global {
  interface Window {
    harness: Harness;
  }
}

export const WIDTH = 480;
export const HEIGHT = 360;

export const started = (generation: number): EventDraft => ({ type: "generation.started", data: { generation } });
export const published = (generation: number): EventDraft => ({
  type: "generation.published",
  data: { generation, cameras: 0, points: 0, refined: 0 },
});
/** A photo, and its level camera above the ground's near end: up is known, and the first view is from its side. */
export const posed = (generation: number, [x, y, z]: Vec3 = [0, 0, 0], image = `g${generation}`): EventDraft[] => {
  const pose = { rotation: [1, 0, 0, 0] as [number, number, number, number], translation: [-x, 4 - y, 9 - z] as Vec3 };
  const intrinsics = { model: "PINHOLE" as const, width: 800, height: 600, params: [700, 700, 400, 300] };
  const file = {
    name: image,
    blob: "0".repeat(64),
    mediaType: "image/jpeg" as const,
    sizeBytes: 1,
    source: "http" as const,
  };
  return [
    { type: "image.added", data: { image, ...file, width: 800, height: 600, orientation: 1 } },
    { type: "camera.posed", data: { generation, image, pose, intrinsics, reprojectionPx: 0.3 } },
  ];
};

export async function apply(page: Page, space: TestSpace, ...drafts: EventDraft[]): Promise<void> {
  const events = space.events(...drafts);
  await page.evaluate((each) => window.harness.source.apply(each), events);
}

/** A generation whole, in one go: begun, seen by a camera at its place, its points, and published. */
export async function publish(
  page: Page,
  space: TestSpace,
  layer: TestLayer,
  points: Parameters<TestLayer["insert"]>[0],
  { generation = 1, ...place }: { generation?: number; at?: Vec3; transform?: Similarity } = {},
): Promise<void> {
  const { at, ...turned } = place;
  const begun = [started(generation), ...posed(generation, at), layer.started({ generation, ...turned })];
  await apply(page, space, ...begun, layer.insert(points), published(generation));
}

/** All that the view wants is on the screen, and the view is still: never so before what was last asked of it is done. */
export async function settled(page: Page, points: number): Promise<void> {
  await page.waitForFunction((n) => {
    const { still, stats } = window.harness.viewer;
    return still && stats.wanted >= n && stats.loaded === stats.wanted && stats.points === stats.wanted;
  }, points);
  await painted(page);
}

/** Nothing goes on, whatever is shown. */
export async function still(page: Page): Promise<void> {
  await page.waitForFunction(() => window.harness.viewer.still);
  await painted(page);
}

export const painted = (page: Page) =>
  page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));

export type Picture = { at(x: number, y: number): Vec3; count(test: (color: Vec3) => boolean): number };

export async function picture(page: Page): Promise<Picture> {
  const { data, info } = await sharp(await page.screenshot())
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): Vec3 => {
    const i = (y * info.width + x) * info.channels;
    return [data[i]!, data[i + 1]!, data[i + 2]!];
  };
  return {
    at,
    count(wanted) {
      let n = 0;
      for (let y = 0; y < info.height; y++) for (let x = 0; x < info.width; x++) if (wanted(at(x, y))) n++;
      return n;
    },
  };
}

export const isBackground = ([r, g, b]: Vec3) => Math.max(r, g, b) < 42;
export const isOrange = ([r, g, b]: Vec3) => r > g * 1.15 && g > b * 1.15 && r > 60;
export const isGreen = ([r, g, b]: Vec3) => g > r * 1.3 && g > b * 1.3 && g > 60;

/** `most` and `holes` of the frame that had most of them; `pixels` were covered at first. */
export type Watched = { frames: number; most: number; holes: number; pixels: number };

/**
 * Looks in the page, at every frame that is shown, at a part of the canvas: how many of its pixels are background that
 * were not when it began to look, and how many of those lie in a hole: with nothing but such around them. Between the
 * points of a surface single pixels come and go, a hole is a piece of it that is missing.
 * The view is taken into the hand first, so that it stays where it is.
 */
export async function watchBackground(page: Page): Promise<() => Promise<Watched>> {
  await page.mouse.move(WIDTH / 2, HEIGHT / 2);
  await page.mouse.wheel(0, -1);
  await still(page);
  await page.evaluate(() => {
    const canvas = document.querySelector("canvas") as HTMLCanvasElement;
    const [width, height] = [160, 80];
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("no second canvas");
    let covered: Uint8Array | undefined;
    const seen = { frames: 0, most: 0, holes: 0, pixels: 0, on: true };
    Object.assign(window, { seen });
    const look = () => {
      context.drawImage(
        canvas,
        (canvas.width - width) / 2,
        (canvas.height - height) / 2 + 30,
        width,
        height,
        0,
        0,
        width,
        height,
      );
      const { data } = context.getImageData(0, 0, width, height);
      const now = Uint8Array.from({ length: width * height }, (_, i) =>
        Math.max(data[i * 4]!, data[i * 4 + 1]!, data[i * 4 + 2]!) < 42 ? 0 : 1,
      );
      covered ??= now;
      const first = covered;
      const gone = (i: number) => first[i] === 1 && now[i] === 0;
      const around = [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1];
      let [empty, holes] = [0, 0];
      for (let i = 0; i < now.length; i++) {
        if (!gone(i)) continue;
        empty++;
        if (around.every((step) => gone(i + step))) holes++;
      }
      seen.pixels = covered.reduce((sum, value) => sum + value, 0);
      seen.frames++;
      seen.most = Math.max(seen.most, empty);
      seen.holes = Math.max(seen.holes, holes);
    };
    const request = window.requestAnimationFrame.bind(window);
    // After the viewer's own callback of the same frame, while its picture is there.
    window.requestAnimationFrame = (callback) =>
      request((time) => {
        callback(time);
        if (seen.on && callback.name === "draw") look();
      });
  });
  return () =>
    page.evaluate(() => {
      const { seen } = window as unknown as { seen: Watched & { on: boolean } };
      seen.on = false;
      const { frames, most, holes, pixels } = seen;
      return { frames, most, holes, pixels };
    });
}
