/** Takes a segment's bytes, answers with points for the GPU. */
import { decodePart } from "./decode.ts";

addEventListener("message", ({ data }: MessageEvent<{ id: number; bytes: Uint8Array<ArrayBuffer> }>) => {
  decodePart(data.bytes).then(
    (points) => self.postMessage({ id: data.id, points }, { transfer: [points.bytes.buffer] }),
    (error: unknown) => self.postMessage({ id: data.id, problem: String(error) }),
  );
});
