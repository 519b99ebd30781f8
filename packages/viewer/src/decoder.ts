/** Decodes in a worker, and on the page's own thread where a worker cannot be started. */
import { decodePart, type PackedPoints } from "./decode.ts";

export type Decoder = {
  decode(bytes: Uint8Array): Promise<PackedPoints>;
  /** Where the work is done, for diagnosis. */
  readonly place: "worker" | "page";
  dispose(): void;
};

type Answer = { id: number; points?: PackedPoints; problem?: string };
type Waiting = { bytes: Uint8Array; resolve(points: PackedPoints): void; reject(error: unknown): void };

export function createDecoder(): Decoder {
  const waiting = new Map<number, Waiting>();
  let next = 0;
  let worker: Worker | undefined;
  try {
    // The name that the compiled file has: the bundler follows this very expression.
    worker = new Worker(new URL("./decode.worker.js", import.meta.url), { type: "module" });
  } catch {
    // No workers here.
  }
  const settle = ({ id, points, problem }: Answer) => {
    const each = waiting.get(id);
    waiting.delete(id);
    if (points) each?.resolve(points);
    else each?.reject(new Error(problem));
  };
  worker?.addEventListener("message", ({ data }: MessageEvent<Answer>) => settle(data));
  worker?.addEventListener("error", (event) => {
    event.preventDefault();
    worker?.terminate();
    worker = undefined;
    for (const { bytes, resolve, reject } of waiting.values()) decodePart(bytes).then(resolve, reject);
    waiting.clear();
  });

  return {
    get place() {
      return worker ? "worker" : "page";
    },
    decode(bytes) {
      if (!worker) return decodePart(bytes);
      const id = next++;
      const answer = new Promise<PackedPoints>((resolve, reject) => waiting.set(id, { bytes, resolve, reject }));
      worker.postMessage({ id, bytes });
      return answer;
    },
    dispose() {
      worker?.terminate();
      worker = undefined;
      for (const { reject } of waiting.values()) reject(new Error("the viewer is closed"));
      waiting.clear();
    },
  };
}
