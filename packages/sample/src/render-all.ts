/** `npm run render`: renders every photo, its depth and the lists beside them, two photos at a time. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { cameraAt, FOCAL_PX, HEIGHT, PHOTOS, WIDTH } from "./camera.ts";
import { samplePhotosDir, truthDir } from "./index.ts";
import { DEPTH_STEP, DEPTH_UNIT_M, photoName, renderDepth, renderPhoto } from "./photo.ts";
import { buildScene, type Scene } from "./scene.ts";

const THREADS = 2;

if (isMainThread) await renderAll();
else await renderOnes((workerData as { scene: Scene }).scene);

async function renderAll(): Promise<void> {
  mkdirSync(samplePhotosDir, { recursive: true });
  mkdirSync(join(truthDir, "depth"), { recursive: true });
  const scene = buildScene();
  let next = 0;
  await Promise.all(
    Array.from({ length: THREADS }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { scene } });
      return new Promise<void>((resolve, reject) => {
        worker.on("error", reject);
        worker.on("message", (done: string) => {
          if (done) console.log(done);
          if (next < PHOTOS) worker.postMessage(next++);
          else worker.terminate().then(() => resolve(), reject);
        });
      });
    }),
  );
  writeLists();
}

async function renderOnes(scene: Scene): Promise<void> {
  const port = parentPort!;
  port.on("message", async (index: number) => {
    const name = photoName(index);
    const jpeg = await renderPhoto(scene, index);
    writeFileSync(join(samplePhotosDir, name), jpeg);
    writeFileSync(join(truthDir, "depth", name.replace("jpg", "png")), await renderDepth(scene, index));
    port.postMessage(`${name}: ${jpeg.length} bytes`);
  });
  port.postMessage("");
}

function writeLists(): void {
  const names = Array.from({ length: PHOTOS }, (_, index) => photoName(index));
  const photos = names.map((name) => ({ name, sizeBytes: statSync(join(samplePhotosDir, name)).size }));
  writeJson(join(samplePhotosDir, "manifest.json"), { title: "The cairn by the arch", photos });
  const K = [FOCAL_PX, 0, WIDTH / 2, 0, FOCAL_PX, HEIGHT / 2, 0, 0, 1];
  writeJson(join(truthDir, "cameras.json"), {
    convention:
      "R row-major world->cam, x_cam = R X + t, units metres, OpenCV axes, world +Y up; pixel centres at 0.5 (the first pixel's middle is (0.5, 0.5))",
    depth: `depth/NN.png, 16 bit: ${DEPTH_UNIT_M} m along the camera's z per unit, 0 is sky or beyond 65.535 m; value (i, j) is at pixel ((i + 0.5) * ${DEPTH_STEP}, (j + 0.5) * ${DEPTH_STEP})`,
    poses: names.map((image, index) => {
      const { R, t } = cameraAt(index);
      return { image, R, t, K, width: WIDTH, height: HEIGHT };
    }),
  });
  const sums = names.map((name) => {
    const digest = createHash("sha256").update(readFileSync(join(samplePhotosDir, name)));
    return `${digest.digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(samplePhotosDir, "SHA256SUMS"), sums.join(""));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 1)}\n`);
}
