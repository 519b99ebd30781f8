/** For tests, of other packages too: whether ffmpeg is installed, and what it says is in a film. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export function hasFfmpeg(): Promise<boolean> {
  return run("ffmpeg", ["-version"]).then(
    () => true,
    () => false,
  );
}

/** One checksum a picture, in the order of showing, as ffmpeg's own decoder and `framemd5` have it. */
export async function frameSums(file: string): Promise<string[]> {
  const words = ["-v", "error", "-i", file, "-f", "framemd5", "-"];
  const { stdout } = await run("ffmpeg", words, { maxBuffer: 2 ** 26 });
  return readFrameSums(stdout);
}

/** @param text what `framemd5` has written */
export function readFrameSums(text: string): string[] {
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return lines.map((line) => line.split(",").at(-1)!.trim());
}
