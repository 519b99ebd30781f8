/**
 * The shown generation for nerfstudio: `transforms.json`, the photos without distortion, the points as PLY, as one zip.
 *
 * Poses are camera→world of cameras that look along −z with y up (OpenGL), in the model's own frame: no transform was
 * applied, and `applied_transform` says so. Each frame has its own intrinsics, pixels with centres at 0.5.
 * Format: https://docs.nerf.studio/quickstart/data_conventions.html
 */
import { modelFromLayer } from "@cairn/cloud";
import { undistortedIntrinsics } from "@cairn/images";
import { CairnError, type CameraState, type Pose, shownGeneration, shownLayers } from "@cairn/protocol";
import type { ExportOptions } from "./export-options.ts";
import { exportPly } from "./point-files.ts";
import { type ZipEntry, zipped } from "./zip.ts";

type View = { readonly camera: CameraState; readonly blob: string; readonly file: string };

const POINTS = "points.ply";

export async function* exportNerfstudio(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const { state } = options.space.log.snapshot();
  const views = Object.values(shownGeneration(state)?.cameras ?? {}).flatMap((camera, index): View[] => {
    const image = state.images[camera.image];
    if (!image) return [];
    const plain = image.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9_-]+/g, "-");
    return [
      { camera, blob: image.blob, file: `images/${String(index + 1).padStart(5, "0")}-${plain.slice(0, 64)}.jpg` },
    ];
  });
  if (views.length === 0) throw new CairnError("export.empty");
  const hasPoints = shownLayers(state).some(({ points }) => points > 0);
  yield* zipped(entries(options, views, hasPoints), options.signal);
}

function* entries(options: ExportOptions, views: readonly View[], hasPoints: boolean): Generator<ZipEntry> {
  const { blobs, undistort, signal, onProgress, onSize: _ofTheZip, ...rest } = options;
  const json = JSON.stringify(transforms(views, hasPoints), null, 1);
  yield { name: "transforms.json", bytes: () => [new TextEncoder().encode(`${json}\n`)] };
  for (const [done, { blob, camera, file }] of views.entries()) {
    onProgress?.("photos", done, views.length);
    yield {
      name: file,
      compress: false,
      async *bytes() {
        yield await undistort(await blobs.get(blob), camera.intrinsics, signal);
      },
    };
  }
  onProgress?.("photos", views.length, views.length);
  if (hasPoints) yield { name: POINTS, bytes: () => exportPly({ ...rest, blobs, undistort, signal, onProgress }) };
}

function transforms(views: readonly View[], hasPoints: boolean): object {
  return {
    // Without distortion OPENCV is a pinhole, and every reader of this format knows it.
    camera_model: "OPENCV",
    ...{ k1: 0, k2: 0, p1: 0, p2: 0 },
    applied_transform: [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
    ],
    ...(hasPoints && { ply_file_path: POINTS }),
    frames: views.map(({ camera, file }) => {
      const { width, height, params } = undistortedIntrinsics(camera.intrinsics);
      const [fx, fy, cx, cy] = params;
      return {
        file_path: file,
        w: width,
        h: height,
        fl_x: fx,
        fl_y: fy,
        cx,
        cy,
        transform_matrix: worldFromOpenGl(camera.pose),
      };
    }),
  };
}

/** Rows of the 4×4 matrix. */
function worldFromOpenGl({ rotation, translation }: Pose): number[][] {
  // Column-major, world→camera (x right, y down, z forward).
  const m = modelFromLayer({ transform: { scale: 1, rotation, translation } });
  const row = (axis: number) => {
    const [x, y, z] = [m[axis * 4]!, m[axis * 4 + 1]!, m[axis * 4 + 2]!]; // a column of R is a row of its inverse
    const centre = -(x * m[12]! + y * m[13]! + z * m[14]!);
    return [x, -y, -z, centre].map((value) => value + 0); // no −0
  };
  return [row(0), row(1), row(2), [0, 0, 0, 1]];
}
