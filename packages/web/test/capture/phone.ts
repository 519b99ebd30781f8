/** For tests of the page in one's hand: a browser whose camera shows the sample's photos, one after the other. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import { type Browser, chromium } from "playwright-core";
import sharp from "sharp";

export type Phone = { readonly browser: Browser; close(): Promise<void> };

export const PORTRAIT = { width: 390, height: 844 };

/** Of the pictures that a camera shows: enough to make a model of. */
const FILM = { width: 960, height: 640 };

/** What the camera shows, as JPEG; baseline and bare, as a camera's own: Chromium reads no other. */
export function filmPictures({ width, height } = FILM): Promise<Buffer[]> {
  const photos = readManifest().photos.slice(0, 4);
  return Promise.all(
    photos.map(({ name }) => sharp(join(samplePhotosDir, name)).resize(width, height).jpeg({ quality: 90 }).toBuffer()),
  );
}

/** @param flags further ones of Chromium's command line @param asks leave for the camera, which nobody gives by itself */
export async function openPhone(flags: readonly string[] = [], asks = false, size = FILM): Promise<Phone> {
  // Not compiled: it is used by the tools as well.
  const tool: { chromium(): string; CHROMIUM_FLAGS: string[] } = await import(
    new URL("../../../../tools/chromium.mjs", import.meta.url).href
  );
  const dir = await mkdtemp(join(tmpdir(), "cairn-camera-"));
  // One JPEG after the other is all that this format is.
  const film = join(dir, "camera.mjpeg");
  await writeFile(film, Buffer.concat(await filmPictures(size)));
  const browser = await chromium.launch({
    executablePath: tool.chromium(),
    args: [
      ...tool.CHROMIUM_FLAGS,
      ...(asks ? [] : ["--use-fake-ui-for-media-stream"]),
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${film}`,
      ...flags,
    ],
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
