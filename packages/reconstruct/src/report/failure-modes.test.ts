/**
 * What goes wrong when people take photos, each with real kernels on drawn photos: either the model is right all the
 * same, or the photo is not used and the reason is the true one. A wrong place is never taken for a right one.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion, seededRandom } from "@cairn/geometry";
import { ADVICE, adviceOfHint, type EngineReport, type Hint, type PosedCamera, type Verdict } from "@cairn/protocol";
import { EngineCore, type JobOptions, type Kernels } from "../embedded/engine-core.ts";
import type { Photo } from "../engine.ts";
import { type FrontEnd, openFrontEnd } from "../features/front-end.ts";
import { type Board, blobs, box, type Camera, FOCAL_PX, photographOf, room, walk } from "../test/place.ts";

/** Of the photos' noise. */
const SEED = 1;
const FREE: JobOptions = { stop: () => {}, progress: () => {} };

type Lens = { readonly told: true } | { readonly exifPx: number } | "unknown";
type Shot = { readonly camera: Camera; readonly boards?: readonly Board[]; readonly lens?: Lens };

type Result = {
  /** Reason or verdict of each shot, in order. */
  readonly said: string[];
  readonly hints: Hint[];
  readonly report: EngineReport;
  readonly cameras: readonly PosedCamera[];
  /** Largest distance of a camera from its true place, after the best similarity; the walk is 3 long. */
  readonly worst: number;
  readonly doubts: readonly string[];
};

describe("failure modes (docs/spec/report.md)", () => {
  const place = room(1);
  let frontEnd: FrontEnd;
  let kernels: Kernels;
  /** Photos of the place serve many tests: each is drawn once, and its edges and features are found once. */
  const drawn = new Map<string, Photo>();
  const known = new Map<string, Uint8Array>();
  const edges = new WeakMap<Uint8Array, Promise<Float32Array>>();

  before(async () => {
    frontEnd = await openFrontEnd({ threads: 1 });
    const segments: Kernels["segments"] = (rgb, widthPx, heightPx) => {
      const found = edges.get(rgb) ?? frontEnd.segments(rgb, widthPx, heightPx);
      edges.set(rgb, found);
      return found;
    };
    kernels = { ...frontEnd, segments, close: async () => {} };
  });
  after(() => frontEnd.close());

  /** What the place looks like to a camera; with boards of its own a shot is another photo. */
  const keyOf = ({ camera, boards }: Shot) => (boards ? undefined : JSON.stringify(camera));

  function photoOf(shot: Shot, index: number): Photo {
    const { camera, boards = place, lens = { told: true } } = shot;
    const key = keyOf(shot);
    const before = key === undefined ? undefined : drawn.get(key);
    const taken = before ?? photographOf(boards, camera, `${index}`, seededRandom(SEED + index));
    if (key !== undefined) drawn.set(key, taken);
    const photo = { ...taken, image: `${index}`, name: `${index}.jpg`, digest: `${index}` };
    const { widthPx: width, heightPx: height } = photo;
    if (lens === "unknown") return photo;
    if ("exifPx" in lens) return { ...photo, focalPx: lens.exifPx };
    const f = camera.focalPx ?? FOCAL_PX;
    return { ...photo, camera: { model: "PINHOLE", width, height, params: [f, f, width / 2, height / 2] } };
  }

  async function reconstruct(shots: readonly Shot[]): Promise<Result> {
    const core = new EngineCore(kernels, 1);
    const last = new Map<string, Verdict>();
    const hints: Hint[] = [];
    const hear = ({ verdicts, hints: more = [] }: { verdicts: readonly Verdict[]; hints?: readonly Hint[] }) => {
      for (const verdict of verdicts) last.set(verdict.image, verdict);
      hints.push(...more);
    };
    for (const [index, shot] of shots.entries()) {
      const key = keyOf(shot);
      const photo = photoOf(shot, index);
      const { step, features } = await core.add(photo, key === undefined ? undefined : known.get(key), FREE);
      if (key !== undefined && features) known.set(key, features);
      hear(step);
    }
    const rebuilt = await core.rebuild(FREE);
    hear(rebuilt);
    for (const { reason } of last.values()) if (reason) assert.ok(ADVICE[reason].length > 20);
    for (const hint of hints) assert.ok(adviceOfHint(hint).length > 20);
    return {
      said: shots.map((_, index) => last.get(`${index}`)!).map(({ verdict, reason }) => reason ?? verdict),
      hints,
      report: core.report(),
      cameras: rebuilt.cameras,
      worst: worstPlace(rebuilt.cameras, shots),
      doubts: rebuilt.doubts ?? [],
    };
  }

  const steps = walk(6);
  const shots = (...cameras: Camera[]): Shot[] => cameras.map((camera) => ({ camera }));
  const four = shots(...steps.slice(0, 4));
  const used = (n: number) => Array<string>(n).fill("registered");
  const codes = ({ hints }: Result) => hints.map(({ code }) => code);

  test("FAIL-1 no overlap: a photo that looks elsewhere waits, and says which photo it is most like", async () => {
    const { said, worst, report } = await reconstruct([
      ...four,
      { camera: { eye: [0, -0.2, -1], target: [-3, -0.5, -1.4] } },
    ]);
    assert.deepEqual(said, [...used(4), "overlap"]);
    assert.ok(worst < 0.01, `${worst}`);
    assert.equal(report.photos[4].verdict, "waiting");
  });

  test("FAIL-2 turned on the spot: no depth, no points, and that is said", async () => {
    const turned = [0, -0.8, 0.8].map((x): Camera => ({ eye: [0, 0, -4.5], target: [x, 0, 1.5] }));
    const result = await reconstruct(shots(...turned));
    assert.deepEqual(result.said, Array(3).fill("rotation_only"));
    assert.equal(result.report.points, 0);
    assert.ok(codes(result).includes("rotation"));
  });

  test("FAIL-3 a flat scene: right with a known lens, and the hint says what it lacks", async () => {
    const wall = place.slice(0, 1);
    const result = await reconstruct(steps.map((camera) => ({ camera, boards: wall })));
    assert.deepEqual(result.said, used(6));
    assert.ok(result.worst < 0.02, `${result.worst}`);
    assert.ok(codes(result).includes("flat"));
  });

  test("FAIL-4 a wall without texture", async () => {
    const blank = [{ ...place[0], texture: new Float32Array(place[0].texture.length).fill(0.6) }];
    const { said, worst } = await reconstruct([...four, { camera: steps[3], boards: blank }]);
    assert.deepEqual(said, [...used(4), "featureless"]);
    assert.ok(worst < 0.01, `${worst}`);
  });

  test("FAIL-5 repetition: tiles alone are named; with something that is there once, all is right", async () => {
    const tile = blobs(77, 150);
    const aside = walk(6, -2.5, 2.5).map((camera): Camera => ({ ...camera, target: [camera.eye[0], 0, 1.5] }));
    const tiles: Board[] = [
      { ...place[0], corner: [-6, -3, 3], along: [12, 0, 0], texture: tile, tiles: [8, 3] },
      { ...place[2], texture: tile, tiles: [8, 6] },
    ];
    const alone = await reconstruct(aside.map((camera) => ({ camera, boards: tiles })));
    assert.ok(alone.said.filter((word) => word === "repetitive").length >= 4, `${alone.said}`);
    assert.ok(codes(alone).includes("repetitive"));
    const once = [{ ...place[0], texture: tile, tiles: [6, 3] as const }, place[2], ...box([0.2, 0.8, 0.2], 1.1, 20)];
    const result = await reconstruct(aside.map((camera) => ({ camera, boards: once })));
    assert.deepEqual(result.said, used(6));
    // Matches with the next tile along the epipolar line can't be told from right ones: a few per cent, no more.
    assert.ok(result.worst < 0.15, `${result.worst}`);
  });

  test("FAIL-6 something moves: the rest is right, and the hint says where it was", async () => {
    const cube = box([-2.2, 0.9, -0.3], 1.5, 555);
    const movedTo = (i: number) =>
      cube.map((board): Board => {
        const [x, y, z] = board.corner;
        return { ...board, corner: [x + 0.4 * i, y - 0.3 * i, z] };
      });
    const result = await reconstruct(
      steps.map((camera, i) => ({ camera, boards: [...place.slice(0, 3), ...place.slice(7), ...movedTo(i)] })),
    );
    assert.deepEqual(result.said, used(6));
    assert.ok(result.worst < 0.02, `${result.worst}`);
    const moving = result.hints.find(({ code }) => code === "moving");
    assert.ok(moving?.region && moving.region.radius > 0, `${codes(result)}`);
  });

  test("FAIL-7 two cameras and two zooms, told by EXIF or by nobody", async () => {
    const exif = await reconstruct(
      steps.map((camera, i): Shot => {
        const focalPx = i % 2 ? 900 : FOCAL_PX;
        return { camera: { ...camera, focalPx }, lens: { exifPx: 1.04 * focalPx } };
      }),
    );
    assert.deepEqual(exif.said, used(6));
    assert.ok(exif.worst < 0.02, `${exif.worst}`);
    const sizes = await reconstruct(
      steps.map((camera, i): Shot => {
        const wide = { ...camera, widthPx: 800, heightPx: 500, focalPx: 620 };
        return { camera: i % 2 ? wide : camera, lens: "unknown" };
      }),
    );
    assert.deepEqual(sizes.said, used(6));
    assert.ok(sizes.worst < 0.02, `${sizes.worst}`);
    assert.equal(sizes.report.lenses.length, 2);
  });

  test("FAIL-7 one photo of a camera is zoomed and nobody says so: it gets a lens of its own", async () => {
    const zoomed: Camera = { ...steps[3], target: [0.6, 1.1, 1], focalPx: 1000 };
    const all = steps.map((camera, i): Shot => ({ camera: i === 3 ? zoomed : camera, lens: "unknown" }));
    const { said, worst, report, doubts } = await reconstruct(all);
    assert.deepEqual(said, used(6));
    assert.ok(worst < 0.02, `${worst}`);
    assert.deepEqual(doubts, []);
    const [plain, other] = report.lenses;
    assert.ok(Math.abs(plain.focalPx / FOCAL_PX - 1) < 0.02 && plain.photos === 5, `${plain.focalPx}`);
    assert.ok(Math.abs(other.focalPx / 1000 - 1) < 0.02 && other.photos === 1, `${other.focalPx}`);
  });

  test("FAIL-7 the first photo is zoomed, before a wall that fills most of it: a step forward does not pass for it", async () => {
    const all = steps.map((camera, i): Shot => {
      return { camera: i === 0 ? { ...camera, focalPx: 1.4 * FOCAL_PX } : camera, lens: "unknown" };
    });
    const { said, worst, report } = await reconstruct(all);
    assert.deepEqual(said, used(6));
    assert.ok(worst < 0.02, `${worst}`);
    assert.deepEqual(
      report.lenses.map(({ photos, focalPx }) => [photos, Math.round((10 * focalPx) / FOCAL_PX)]),
      [
        [5, 10],
        [1, 14],
      ],
    );
  });

  test("FAIL-8 a quarter of the light, twice the light: used; black and burnt out: named", async () => {
    const exposures = [1, 0.25, 1, 2.2, 1, 1];
    const { said, worst } = await reconstruct([
      ...shots(...steps.map((camera, i) => ({ ...camera, exposure: exposures[i] }))),
      ...shots({ ...steps[1], exposure: 0.004 }, { ...steps[1], exposure: 40 }),
    ]);
    assert.deepEqual(said, [...used(6), "dark", "overexposed"]);
    assert.ok(worst < 0.02, `${worst}`);
  });

  for (const [name, turn] of [
    ["FAIL-9 portrait and landscape mixed", (c: Camera) => ({ ...c, widthPx: 480, heightPx: 640 })],
    ["FAIL-10 upside down", (c: Camera) => ({ ...c, quarters: 2 })],
    ["FAIL-10 on its side without a word from EXIF", (c: Camera) => ({ ...c, quarters: 1 })],
  ] as const) {
    test(`${name}: right all the same`, async () => {
      const { said, worst } = await reconstruct(shots(...steps.map((camera, i) => (i % 2 ? turn(camera) : camera))));
      assert.deepEqual(said, used(6));
      assert.ok(worst < 0.02, `${worst}`);
    });
  }

  test("FAIL-11 a photo of somewhere else", async () => {
    const stranger: Shot = { camera: steps[2], boards: room(7) };
    const { said, worst } = await reconstruct([four[0], stranger, ...four.slice(1)]);
    assert.deepEqual(said, ["registered", "overlap", ...used(3)]);
    assert.ok(worst < 0.01, `${worst}`);
  });

  test("FAIL-12 the same view again, saved another time: it lands where the first one is", async () => {
    const { said, worst, cameras } = await reconstruct([...four, { camera: steps[2], boards: place }]);
    assert.deepEqual(said, used(5));
    assert.ok(worst < 0.01, `${worst}`);
    const [first, again] = ["2", "4"].map((image) => cameras.find((camera) => camera.image === image)!.pose);
    const [a, b] = [first, again].map((pose) => cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)));
    assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) < 0.01);
  });

  test("FAIL-13 blurred: a little is used and told, much is not used and named", async () => {
    const result = await reconstruct([...four, ...shots({ ...steps[4], smearPx: 10 }, { ...steps[4], smearPx: 60 })]);
    assert.deepEqual(result.said, [...used(5), "blurred"]);
    assert.ok(result.worst < 0.05, `${result.worst}`);
    assert.ok(codes(result).includes("blurred"));
  });

  test("FAIL-14 frames of a video: too near together for a start, used in time, and told", async () => {
    const frame = (x: number): Camera => ({ eye: [x, 0.2 * Math.cos(4 * x), -4.5], target: [0.4 * x, 0, 1.5] });
    const still = await reconstruct(shots(...[0, 1, 2, 3].map((i) => frame(0.015 * i))));
    assert.deepEqual(still.said, Array(4).fill("rotation_only"));
    assert.ok(codes(still).includes("small_steps"), `${codes(still)}`);
    const moving = await reconstruct(shots(...Array.from({ length: 8 }, (_, i) => frame(-0.2 + 0.05 * i))));
    assert.deepEqual(moving.said, used(8));
    assert.ok(moving.worst < 0.005, `${moving.worst}`);
  });

  /** From uneven heights and distances: on one line two views leave the focal length open. */
  const uneven = (exifPx: (i: number) => number) =>
    steps.map(({ eye, target }, i): Shot => {
      const camera: Camera = { eye: [eye[0], eye[1] - 0.4 * i, eye[2] + 0.2 * i], target };
      return { camera, lens: { exifPx: exifPx(i) } };
    });

  test("FAIL-15 EXIF tells half as much again of one photo: it is measured, and relied on", async () => {
    const { said, worst, report, doubts } = await reconstruct(uneven((i) => (i === 2 ? 1.5 : 1.02) * FOCAL_PX));
    assert.deepEqual([said, doubts], [used(6), []]);
    assert.ok(worst < 0.02, `${worst}`);
    for (const { focalPx } of report.lenses) assert.ok(Math.abs(focalPx / FOCAL_PX - 1) < 0.02, `${focalPx}`);
  });

  test("FAIL-15 EXIF tells twice the focal length: it is measured instead", async () => {
    const { said, worst, report } = await reconstruct(uneven(() => 1100));
    assert.deepEqual(said, used(6));
    assert.ok(worst < 0.02, `${worst}`);
    assert.ok(Math.abs(report.lenses[0].focalPx / FOCAL_PX - 1) < 0.02, `${report.lenses[0].focalPx}`);
  });
});

function worstPlace(cameras: readonly PosedCamera[], shots: readonly Shot[]): number {
  if (cameras.length < 3) return 0;
  const source = cameras.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]);
  const target = cameras.flatMap(({ image }) => shots[Number(image)].camera.eye);
  const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
  const distances = new Float64Array(cameras.length);
  const found = alignPoints(from, to);
  if (!found) return Infinity;
  alignmentDistances(found, from, to, distances);
  return Math.max(...distances);
}
