/** For tests: photos of the sample capture, small. */
import { readdir } from "node:fs/promises";
import { samplePhotosDir } from "@cairn/sample";
import { smallPhoto } from "@cairn/sample/small-photo";

/** The first so many of the tour. */
export async function samplePhotos(count: number): Promise<Buffer[]> {
  const names = (await readdir(samplePhotosDir)).filter((name) => name.endsWith(".jpg")).sort();
  return Promise.all(names.slice(0, count).map(smallPhoto));
}
