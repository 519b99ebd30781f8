import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import { CairnError, type PosedCamera, type Verdict } from "@cairn/protocol";
import { answerTwoView } from "../mapper/two-view.ts";
import { arc, type Shot, type Synthetic, shuffled, syntheticPhotos } from "../test/synthetic.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** Throws at the n-th question. */
function stopAt(n: number): JobOptions {
  let asked = 0;
  return {
    stop() {
      if (++asked >= n) throw new CairnError("operation.cancelled");
    },
    progress: () => {},
  };
}

async function addAll(core: EngineCore, { photos }: Synthetic) {
  const verdicts = new Map<string, Verdict>();
  const cameras = new Map<string, PosedCamera>();
  let points = 0;
  for (const photo of photos) {
    const { step } = await core.add(photo, undefined, FREE);
    for (const verdict of step.verdicts) verdicts.set(verdict.image, verdict);
    for (const camera of step.cameras) cameras.set(camera.image, camera);
    points += step.points.positions.length / 3;
  }
  return { verdicts, cameras, points };
}

/** Largest distance of a camera from its true place after the best similarity, as a part of the arc's radius of 8. */
function worstCentre(cameras: Iterable<PosedCamera>, { photos, truth }: Synthetic): number {
  const source: number[] = [];
  const target: number[] = [];
  for (const { image, pose } of cameras) {
    source.push(...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)));
    target.push(...truth[photos.findIndex((photo) => photo.image === image)].eye);
  }
  const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
  const distances = new Float64Array(from.length / 3);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return Math.max(...distances) / 8;
}

const said = (verdicts: Map<string, Verdict>) =>
  [...verdicts.values()].map(({ verdict, reason }) => (reason ? `${verdict}: ${reason}` : verdict));

describe("the engine on synthetic photos", () => {
  test("known calibration: every photo is placed as it comes, and right", async () => {
    const synthetic = syntheticPhotos(arc(8), { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    const first = await core.add(synthetic.photos[0], undefined, FREE);
    assert.deepEqual(first.step.verdicts, [{ image: "photo-0", verdict: "waiting", reason: "first" }]);
    const second = await core.add(synthetic.photos[1], undefined, FREE);
    assert.deepEqual(
      second.step.verdicts.map(({ verdict }) => verdict),
      ["registered", "registered"],
    );
    assert.ok(second.step.points.positions.length > 300 * 3, "points after the second photo");
    assert.deepEqual([...second.step.points.colors.subarray(0, 3)], [90, 90, 90]);
    for (const photo of synthetic.photos.slice(2)) {
      const { step } = await core.add(photo, undefined, FREE);
      assert.equal(step.verdicts.find(({ image }) => image === photo.image)?.verdict, "registered");
      assert.equal(step.rebuildAdvised, false);
    }
    const { cameras, points, alignment, residual } = await core.rebuild(FREE);
    assert.equal(cameras.length, 8);
    assert.ok(worstCentre(cameras, synthetic) < 5e-4);
    assert.ok(points.positions.length / 3 > 700);
    assert.ok(Math.abs(alignment!.scale - 1) < 0.01 && residual! < 0.01, "the frame has not jumped");
    assert.deepEqual(core.focal(), { source: "given", focalPx: 2160, sigmaPx: 0, certain: true });
    for (const { intrinsics } of cameras) assert.deepEqual(intrinsics, synthetic.photos[0].camera);
  });

  test("REC-19 a photo that was foreseen is looked at once, and comes to the same", async () => {
    const synthetic = syntheticPhotos(arc(4), { told: true });
    const extracted: Uint8Array[] = [];
    const kernels: Synthetic["kernels"] = {
      ...synthetic.kernels,
      extract(rgb, ...given) {
        extracted.push(rgb);
        return synthetic.kernels.extract(rgb, ...given);
      },
    };
    const plain = new EngineCore(syntheticPhotos(arc(4), { told: true }).kernels, 1);
    const core = new EngineCore(kernels, 1);
    for (const [k, photo] of synthetic.photos.entries()) {
      const next = synthetic.photos[k + 1];
      const adding = core.add(photo, undefined, FREE);
      if (next) core.foresee(next);
      assert.deepEqual(await adding, await plain.add(photo, undefined, FREE));
    }
    assert.equal(extracted.length, 4);
    core.foresee(synthetic.photos[0]);
    assert.equal(extracted.length, 4, "what is there already is not looked at again");
    assert.deepEqual(core.model(), plain.model());
  });

  for (const focalPx of [760, 1080, 1700]) {
    test(`unknown focal length: ${focalPx} px is found, in any order of the photos`, async () => {
      const span = Math.min(1.2, 1300 / focalPx);
      const synthetic = syntheticPhotos(shuffled(arc(8, span), focalPx), { focalPx });
      const core = new EngineCore(synthetic.kernels, 1);
      const { verdicts } = await addAll(core, synthetic);
      assert.deepEqual(said(verdicts), Array(8).fill("registered"));
      const { cameras } = await core.rebuild(FREE);
      assert.ok(worstCentre(cameras, synthetic) < 5e-3);
      const focal = core.focal()!;
      assert.equal(focal.source, "estimated");
      assert.ok(Math.abs(focal.focalPx / (2 * focalPx) - 1) < 0.02, `found ${focal.focalPx}`);
      assert.ok(focal.certain);
      assert.ok(focal.sigmaPx > 0 && focal.sigmaPx < 0.05 * focal.focalPx);
    });
  }

  test("a flat wall, known calibration: every photo is placed, and right, whatever comes first", async () => {
    for (const seed of [1, 6, 10]) {
      const synthetic = syntheticPhotos(shuffled(arc(6), seed), { told: true, flat: true, seed });
      const core = new EngineCore(synthetic.kernels, 1);
      await addAll(core, synthetic);
      const { cameras } = await core.rebuild(FREE);
      assert.equal(cameras.length, 6);
      const worst = worstCentre(cameras, synthetic);
      assert.ok(worst < 0.003, `seed ${seed}: ${worst}`);
    }
  });

  test("EXIF a little off is refined; EXIF far off is not believed", async () => {
    for (const [exifPx, source] of [
      [1140, "exif"],
      [1700, "estimated"],
    ] as const) {
      // Seen from uneven heights and distances: on a plain arc two views leave the focal length open.
      const shots = arc(7).map(({ eye, target }, i): Shot => {
        const nearer = 0.75 + 0.08 * i;
        return {
          eye: [eye[0] * nearer, eye[1] + (i % 2), eye[2] * nearer],
          target: [target[0], 0.3 * i - 1, target[2]],
        };
      });
      const synthetic = syntheticPhotos(shots, { exifPx });
      const core = new EngineCore(synthetic.kernels, 1);
      const { verdicts } = await addAll(core, synthetic);
      assert.deepEqual(said(verdicts), Array(7).fill("registered"));
      const { cameras } = await core.rebuild(FREE);
      assert.ok(worstCentre(cameras, synthetic) < 5e-3);
      assert.equal(core.focal()?.source, source);
      assert.ok(Math.abs(core.focal()!.focalPx / 2160 - 1) < 0.01);
    }
  });

  test("a telephoto lens that EXIF tells of is believed, though two-view geometry does not reach that far", async () => {
    const focalPx = 4320;
    const shots = arc(8).map(({ eye: [x, y, z], target }): Shot => ({ eye: [3 * x, 3 * y, 3 * z], target }));
    const synthetic = syntheticPhotos(shots, { focalPx, exifPx: 1.04 * focalPx });
    const core = new EngineCore(synthetic.kernels, 1);
    const { verdicts } = await addAll(core, synthetic);
    assert.deepEqual(said(verdicts), Array(8).fill("registered"));
    const { cameras, points } = await core.rebuild(FREE);
    assert.ok(points.positions.length / 3 > 400, `${points.positions.length / 3} points`);
    assert.ok(worstCentre(cameras, synthetic) < 0.015);
    const focal = core.focal()!;
    assert.deepEqual([focal.source, focal.certain], ["exif", true]);
    assert.ok(Math.abs(focal.focalPx / (2 * focalPx) - 1) < 0.03, `found ${focal.focalPx}`);
  });

  test("a photo of another place waits for want of overlap and changes nothing for the rest", async () => {
    const shots = arc(6);
    const stranger: Shot = { ...arc(6)[2], place: 1 };
    const synthetic = syntheticPhotos([...shots.slice(0, 3), stranger, ...shots.slice(3)], { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    const { verdicts, cameras } = await addAll(core, synthetic);
    assert.equal(verdicts.get("photo-3")?.reason, "overlap");
    assert.equal(said(verdicts).filter((words) => words === "registered").length, 6);
    assert.ok(worstCentre(cameras.values(), synthetic) < 2e-3);
  });

  test("what two photos cannot bridge, a third between them does", async () => {
    const [left, middle, right] = [-0.9, 0, 0.9].map((x): Shot => ({ eye: [x * 1.2, 0, -4], target: [x * 2, 0, 1.5] }));
    const synthetic = syntheticPhotos([left, right, middle], { told: true, focalPx: 1700 });
    const core = new EngineCore(synthetic.kernels, 1);
    await core.add(synthetic.photos[0], undefined, FREE);
    const alone = await core.add(synthetic.photos[1], undefined, FREE);
    assert.deepEqual(said(new Map(alone.step.verdicts.map((v) => [v.image, v]))), [
      "waiting: weak_overlap",
      "waiting: weak_overlap",
    ]);
    const joined = await core.add(synthetic.photos[2], undefined, FREE);
    assert.deepEqual(
      joined.step.verdicts.map(({ verdict }) => verdict),
      ["registered", "registered", "registered"],
    );
  });

  test("two photos from one spot make no model, and say why", async () => {
    const eye = [0, 0, -8] as const;
    const synthetic = syntheticPhotos(
      [
        { eye, target: [0, 0, 0] },
        { eye, target: [0.8, 0.1, 0] },
      ],
      { told: true },
    );
    const { verdicts, points } = await addAll(new EngineCore(synthetic.kernels, 1), synthetic);
    assert.deepEqual(verdicts.get("photo-1")?.reason, "rotation_only");
    assert.equal(points, 0);
  });

  test("a poor picture is told from a stranger", async () => {
    const shots = arc(5);
    const dark = { ...shots[1], features: 12, brightness: 0.02 };
    const blurred = { ...shots[2], features: 12, sharpness: 0.01 };
    const blank = { ...shots[3], features: 12 };
    const synthetic = syntheticPhotos([shots[0], dark, blurred, blank, shots[4]], { told: true });
    const { verdicts } = await addAll(new EngineCore(synthetic.kernels, 1), synthetic);
    assert.deepEqual(
      ["photo-1", "photo-2", "photo-3"].map((image) => verdicts.get(image)?.reason ?? verdicts.get(image)?.verdict),
      ["dark", "blurred", "featureless"],
    );
  });

  test("MAP-1 of two places that do not connect, one is shown and the other kept; a rebuild shows the much larger", async () => {
    const synthetic = syntheticPhotos([...arc(3, 0.5, 0), ...arc(5, 0.9, 1)], { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    const shown = () => core.model().images.map(({ image }) => Number(image.slice("photo-".length)));
    const last: Verdict[] = [];
    for (const [index, photo] of synthetic.photos.entries()) {
      const { step } = await core.add(photo, undefined, FREE);
      last.splice(0, last.length, ...step.verdicts);
      assert.equal(step.rebuildAdvised, index === 7, "only a generation shows another place");
      if (index >= 2) assert.deepEqual(shown(), [0, 1, 2]);
    }
    assert.deepEqual(last, [{ image: "photo-7", verdict: "waiting", reason: "separate", placePhotos: 5 }]);
    const { cameras, verdicts, alignment } = await core.rebuild(FREE);
    assert.equal(alignment, undefined, "nothing to lay it onto");
    assert.ok(worstCentre(cameras, synthetic) < 1e-3);
    const words = new Map(verdicts.map((verdict) => [verdict.image, verdict]));
    assert.deepEqual(said(words).sort(), [...Array(5).fill("registered"), ...Array(3).fill("waiting: separate")]);
    assert.equal((await core.rebuild(FREE)).cameras.length, 5, "and then it stays");
  });

  for (const told of [true, false]) {
    test(`MAP-2 two sides grow apart and become one when photos show both, focal length ${told ? "told" : "not told"}`, async () => {
      const side = (middle: number, n: number) =>
        Array.from({ length: n }, (_, i): Shot => {
          const x = middle * 2.2 + 0.3 * (i - (n - 1) / 2);
          return { eye: [x, 0.2 * Math.sin(2 * i), -2.4], target: [middle * 2.4 + 0.05 * i, 0, 1.5] };
        });
      const synthetic = syntheticPhotos([...side(-1, 5), ...side(1, 4), ...side(0, 2)], {
        told,
        focalPx: 1700,
        points: 2000,
      });
      const core = new EngineCore(synthetic.kernels, 1);
      const verdicts = new Map<string, Verdict>();
      const handed = new Map<string, PosedCamera>();
      for (const [index, photo] of synthetic.photos.entries()) {
        const { step } = await core.add(photo, undefined, FREE);
        for (const verdict of step.verdicts) verdicts.set(verdict.image, verdict);
        for (const camera of step.cameras) handed.set(camera.image, camera);
        if (index === 8) {
          const separate = Array(4).fill("waiting: separate");
          assert.deepEqual(said(verdicts), [...Array(5).fill("registered"), ...separate]);
        }
      }
      assert.deepEqual(said(verdicts), Array(11).fill("registered"));
      assert.ok(worstCentre(handed.values(), synthetic) < (told ? 2e-3 : 0.02));
      assert.ok(worstCentre((await core.rebuild(FREE)).cameras, synthetic) < (told ? 1e-3 : 5e-3));
    });
  }

  test("a point is handed out once in a generation, and the next one hands out all of them", async () => {
    const synthetic = syntheticPhotos(arc(6), { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    const seen: string[] = [];
    for (const photo of synthetic.photos) {
      const { positions } = (await core.add(photo, undefined, FREE)).step.points;
      for (let p = 0; p < positions.length; p += 3)
        seen.push(
          positions
            .subarray(p, p + 3)
            .map((x) => Math.round(x * 1e4))
            .join(),
        );
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(seen.length <= core.model().positions.length / 3 + 20);
    const { points } = await core.rebuild(FREE);
    const n = points.positions.length / 3;
    assert.ok(n > 0.9 * (core.model().positions.length / 3));
    // Each says with which photo it became a point, never the first, and how many agree on it.
    const { images, of } = points.source!;
    assert.deepEqual(
      images,
      synthetic.photos.map(({ image }) => image),
    );
    assert.deepEqual([...new Set(of)].sort(), [1, 2, 3, 4, 5]);
    assert.deepEqual([of.length, points.confidences!.length], [n, n]);
    const doubted = points.confidences!.filter((sure) => sure === 51).length;
    assert.ok(doubted > 0 && doubted < n, `${doubted} of ${n} points that two photos saw`);
  });

  test("a cancelled step leaves the photo waiting, and the next one makes up for it", async () => {
    for (const questions of [1, 2, 4, 7, 12]) {
      const synthetic = syntheticPhotos(arc(6), { told: true });
      const core = new EngineCore(synthetic.kernels, 1);
      for (const photo of synthetic.photos.slice(0, 3)) await core.add(photo, undefined, FREE);
      await core.add(synthetic.photos[3], undefined, stopAt(questions)).catch((error: CairnError) => {
        assert.equal(error.code, "operation.cancelled");
      });
      const { step } = await core.add(synthetic.photos[4], undefined, FREE);
      assert.ok(step.verdicts.some(({ image, verdict }) => image === "photo-4" && verdict === "registered"));
      assert.equal(core.model().images.length, 5, `cancelled at question ${questions}`);
      assert.equal((await core.add(synthetic.photos[3], undefined, FREE)).step.verdicts[0]?.verdict, "registered");
    }
  });

  test("a cancelled rebuild changes nothing", async () => {
    const synthetic = syntheticPhotos(arc(6), { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    await addAll(core, synthetic);
    const before = core.model();
    for (const questions of [2, 4, 6, 8]) {
      await assert.rejects(core.rebuild(stopAt(questions)), { code: "operation.cancelled" });
    }
    assert.deepEqual(core.model(), before);
    assert.equal((await core.rebuild(FREE)).cameras.length, 6);
  });

  for (const thorough of [false, true]) {
    test(`a ${thorough ? "thorough" : "usual"} rebuild cancelled at its end joins no lenses`, async () => {
      const synthetic = syntheticPhotos(arc(9, 1.6));
      const core = new EngineCore(synthetic.kernels, 1);
      const told = [{ focalPx: 2000 }, {}, { focalPx: 2330 }];
      for (const [k, photo] of synthetic.photos.entries())
        await core.add({ ...photo, ...told[k % 3] }, undefined, FREE);
      const before = { model: core.model(), lenses: core.report().lenses };
      assert.equal(before.lenses.length, 3);
      let handingOut = false;
      const cancelled: JobOptions = {
        ...FREE,
        stage: (name) => {
          handingOut = name === "handing out";
        },
        stop() {
          if (handingOut) throw new CairnError("operation.cancelled");
        },
      };
      await assert.rejects(core.rebuild(cancelled, { thorough }), { code: "operation.cancelled" });
      assert.deepEqual({ model: core.model(), lenses: core.report().lenses }, before);
      await core.rebuild(FREE, { thorough });
      assert.equal(core.report().lenses.length, 1, "one that runs to its end joins them");
    });
  }

  test("a look that places nothing settles no frame", async () => {
    const upright = async (early: boolean) => {
      // Two photos from one place begin no model; the others look down at the scene.
      const shots = arc(9, 1.6);
      const down = shots.map((shot) => ({ ...shot, eye: [shot.eye[0], -3, shot.eye[2]] }) as Shot);
      const synthetic = syntheticPhotos([{ ...shots[0], place: 1 }, ...down], { told: true });
      const core = new EngineCore(synthetic.kernels, 1);
      for (const [k, photo] of synthetic.photos.entries()) {
        await core.add(photo, undefined, FREE);
        if (early && k === 1) assert.equal((await core.rebuild(FREE, { thorough: true })).cameras.length, 0);
      }
      return (await core.rebuild(FREE, { thorough: true })).upright;
    };
    assert.ok(await upright(false));
    assert.deepEqual(await upright(true), await upright(false));
  });

  test("the same photos and seed give the same model, number for number", async () => {
    const run = async () => {
      const synthetic = syntheticPhotos(arc(6));
      const verifyMany: Synthetic["kernels"]["verifyMany"] = async (questions) =>
        questions.map((question) => question && answerTwoView(question)); // each time anew
      const core = new EngineCore({ ...synthetic.kernels, verifyMany }, 7);
      await addAll(core, synthetic);
      await core.rebuild(FREE);
      return core.model();
    };
    assert.deepEqual(await run(), await run());
  });

  test("a rebuild can be laid onto cameras that someone else has", async () => {
    const synthetic = syntheticPhotos(arc(6), { told: true });
    const core = new EngineCore(synthetic.kernels, 1);
    const { cameras } = await addAll(core, synthetic);
    // The same cameras in a frame that is three times as large and shifted.
    const frame = [...cameras.values()].map(({ pose: { rotation, translation }, ...camera }) => {
      const pose = poseFromQuaternion(rotation, translation);
      const shift = [5, -1, 2];
      const moved = [0, 1, 2].map((i) => {
        const turned = [0, 1, 2].reduce((sum, j) => sum + pose[4 * i + j] * shift[j], 0);
        return 3 * translation[i] - turned;
      });
      return { ...camera, pose: { rotation, translation: moved as [number, number, number] } };
    });
    const rebuilt = await core.rebuild(FREE, { frame });
    assert.ok(Math.abs(rebuilt.alignment!.scale / 3 - 1) < 0.01);
    for (const camera of rebuilt.cameras) {
      const wanted = frame.find(({ image }) => image === camera.image)!;
      const [a, b] = [camera, wanted].map(({ pose }) =>
        cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)),
      );
      assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]) < 0.05);
    }
  });
});
