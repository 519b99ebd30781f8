/** Pixels of the photo as decoded and of the full one: made smaller by the long side, about the middle. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Intrinsics } from "@cairn/protocol";
import type { Photo } from "../engine.ts";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { focalRangeOf, intrinsicsOf, lensOf } from "./lens.ts";
import { sparseModelOf } from "./sparse-model.ts";

/** 1066.67 of the short side became 1067. */
const LYING = { widthPx: 1600, heightPx: 1067, fullWidthPx: 3072, fullHeightPx: 2048 };
const UPRIGHT = { widthPx: 1067, heightPx: 1600, fullWidthPx: 2048, fullHeightPx: 3072 };

function photo(size: typeof LYING, more: Pick<Photo, "camera" | "focalPx"> = {}): Photo {
  return { image: "a", name: "", digest: "", rgb: new Uint8Array(0), ...size, ...more };
}

function near(found: readonly number[] | Float64Array, expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  for (const [k, value] of expected.entries()) assert.ok(Math.abs(found[k] - value) < 1e-9, `${found} for ${expected}`);
}

test("a lens is the same lying and upright, and looks through the middle of the full photo", () => {
  const [lying, upright] = [LYING, UPRIGHT].map((size) => photo(size, { focalPx: 2760 }));
  assert.deepEqual(lensOf(upright).lens, lensOf(lying).lens);
  for (const each of [lying, upright]) {
    const { calibration, principal } = lensOf(each);
    const { params } = intrinsicsOf(each, principal, calibration, 0);
    near(params, [2760, each.fullWidthPx / 2, each.fullHeightPx / 2, 0]);
  }
});

test("a telephoto lens is as long as EXIF says; one that nobody told is not found to be", () => {
  const { lens, calibration } = lensOf(photo(LYING, { focalPx: 4 * 3072 }));
  assert.deepEqual([lens.source, lens.priorPx, calibration[0]], ["exif", 6400, 6400]);
  assert.ok(focalRangeOf(lens)[1] > 4);
  const { lens: absurd } = lensOf(photo(LYING, { focalPx: 25 * 3072 }));
  assert.equal(absurd.source, "estimated");
  assert.ok(focalRangeOf(absurd)[1] < 4);
});

test("a calibration that is given holds for the decoded photo, and is told of the full one as it was", () => {
  const [fx, fy, cx, cy] = [2759.48, 2764.16, 1520.69, 1006.81];
  const full: Intrinsics = { model: "PINHOLE", width: 3072, height: 2048, params: [fx, fy, cx, cy] };
  const given = photo(LYING, { camera: full });
  const { calibration, principal } = lensOf(given);
  near(calibration.subarray(0, 2), [fx / 1.92, fy / 1.92]);
  near([principal.x, principal.y], [cx / 1.92, (cy - 1024) / 1.92 + 533.5]);
  const half: Intrinsics = { ...full, width: 1536, height: 1024, params: full.params.map((each) => each / 2) };
  const halved = photo(LYING, { camera: half });
  const known = lensOf(halved);
  near([known.principal.x, known.principal.y], [principal.x, principal.y]);
  near(intrinsicsOf(halved, known.principal, known.calibration, 0).params, full.params);
});

test("where both sides have one ratio nothing is shifted, to the last bit", () => {
  const size = { widthPx: 1600, heightPx: 1200, fullWidthPx: 4608, fullHeightPx: 3456 };
  const { calibration, principal } = lensOf(photo(size, { focalPx: 3377 }));
  assert.deepEqual([principal, calibration[0]], [{ x: 800, y: 600 }, 3377 * (1600 / 4608)]);
  calibration.set([1172.123, 1172.123, 3.7, -5.3]);
  const { params } = intrinsicsOf(photo(size), principal, calibration, 0);
  const scale = 4608 / 1600;
  assert.deepEqual([...params], [1172.123 * scale, (800 + 3.7) * scale, (600 - 5.3) * scale, 0]);
});

test("features of the model are where the full photo shows them", async () => {
  const synthetic = syntheticPhotos(arc(3, 0.4), { points: 200 });
  // 800.5 rows were rounded to 800.
  for (const [index, each] of synthetic.photos.entries()) synthetic.photos[index] = { ...each, fullHeightPx: 1601 };
  const tied = await tiedViews(synthetic, () => true);
  const scene = posedScene(tied, [0, 1, 2], (view) => truePose(synthetic, view));
  const [{ features }] = sparseModelOf(scene).images;
  const { x, y } = scene.views[0].places;
  near(
    features.subarray(0, 20),
    [...features.subarray(0, 20)].map((_, k) => (k % 2 === 0 ? 2 * x[k / 2] : 2 * y[(k - 1) / 2] + 0.5)),
  );
});
