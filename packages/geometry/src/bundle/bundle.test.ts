import assert from "node:assert/strict";
import { test } from "node:test";
import { alignPoints } from "../alignment/align.ts";
import { transformPoints } from "../alignment/similarity.ts";
import { randomNormal, seededRandom } from "../random.ts";
import { cameraCentre, retractPose } from "../rotation/pose.ts";
import { bundleScene, perturb } from "../test/bundle-scene.ts";
import { largestDifference } from "../test/scene.ts";
import { adjustBundle, bundleIterations } from "./adjust.ts";
import { allocateNormalEquations, bundleCost, linearise } from "./linearise.ts";
import { type BundleProblem, type CalibrationParameter, indexBundle, PARAMETER_AT } from "./problem.ts";
import { SchurComplement } from "./schur.ts";

const SQUARED = { kind: "squared", scalePx: 1 } as const;

/** Root mean square distance of the points from the truth after the best similarity. */
function pointError(points: Float64Array, truth: Float64Array): number {
  const similarity = alignPoints(points, truth);
  assert.ok(similarity);
  const moved = transformPoints(similarity, points);
  return Math.sqrt(moved.reduce((sum, value, i) => sum + (value - truth[i]) ** 2, 0) / (truth.length / 3));
}

test("the analytic gradient is the numeric one, for every unknown and every loss", () => {
  for (const kind of ["squared", "cauchy", "soft-l1"] as const) {
    for (const names of [
      ["f", "k1", "k2", "cx", "cy"],
      ["fx", "fy", "k1"],
    ] satisfies CalibrationParameter[][]) {
      const random = seededRandom(1);
      const scene = bundleScene(random, 4, 20, { sigmaPx: 2, calibration: [1400, 1350, 800, 533, -0.1, 0.05] });
      const problem = {
        ...scene.problem,
        observationWeight: Float64Array.from(scene.problem.observationPoint, () => 0.3 + random()),
        refine: [names],
        priors: [{ calibration: 0, parameter: names[0], value: 1390, sigma: 5 }],
      };
      const loss = { kind, scalePx: 1.5 };
      const index = indexBundle(problem);
      const equations = allocateNormalEquations(index);
      linearise(problem, index, problem, loss, equations);
      const slope = (change: (h: number) => void, h: number) => {
        change(h);
        const above = bundleCost(problem, index, problem, loss);
        change(-2 * h);
        const below = bundleCost(problem, index, problem, loss);
        change(h);
        return (above - below) / (2 * h);
      };
      const check = (analytic: number, numeric: number, what: string) =>
        assert.ok(
          Math.abs(-2 * analytic - numeric) < 1e-4 * (Math.abs(numeric) + 10),
          `${what}: ${-2 * analytic} ${numeric}`,
        );
      for (let c = 1; c < 4; c++) {
        for (let i = 0; i < 6; i++) {
          const numeric = slope((h) => {
            const step = new Float64Array(6);
            step[i] = h;
            retractPose(problem.poses, c * 12, step, 0, problem.poses, c * 12);
          }, 1e-6);
          check(equations.gradient[index.cameraColumn[c] + i], numeric, `camera ${c} ${i}`);
        }
      }
      for (let i = 0; i < 60; i++) {
        check(
          equations.pointGradient[i],
          slope((h) => {
            problem.points[i] += h;
          }, 1e-6),
          `point ${i}`,
        );
      }
      names.forEach((name, i) => {
        const at = PARAMETER_AT[name];
        const ratio = problem.calibrations[1] / problem.calibrations[0];
        const numeric = slope(
          (h) => {
            problem.calibrations[at] += h;
            if (name === "f") problem.calibrations[1] += h * ratio;
          },
          at < 4 ? 1e-3 : 1e-6,
        );
        check(equations.gradient[index.calibrationColumn[0] + i], numeric, name);
      });
    }
  }
});

test("the reduced system is the Schur complement of the whole one: shared and own calibrations, a held camera", () => {
  for (const own of [false, true]) {
    const random = seededRandom(2);
    const { problem } = bundleScene(random, 5, 12, { sigmaPx: 1 });
    const bundle: BundleProblem = own
      ? {
          ...problem,
          calibrations: Float64Array.from({ length: 30 }, (_, i) => problem.calibrations[i % 6]),
          calibrationOf: Int32Array.of(4, 3, 2, 1, 0),
          refine: [["f"], ["f", "k1"], [], ["f", "cx", "cy"], ["k1"]],
        }
      : { ...problem, refine: [["f", "k1"]] };
    const index = indexBundle(bundle);
    const equations = allocateNormalEquations(index);
    linearise(bundle, index, bundle, SQUARED, equations);
    const schur = new SchurComplement(index);
    schur.reduce(equations, 0);
    // The whole Jacobian, dense; then H_cc − H_cp H_pp⁻¹ H_pc by solving densely for each column.
    const { size } = index;
    const total = size + 36;
    const whole = new Float64Array(total * total);
    for (let o = 0; o < index.observations; o++) {
      for (let axis = 0; axis < 2; axis++) {
        const row = new Float64Array(total);
        const column = index.cameraColumn[index.camera[o]];
        if (column >= 0) for (let i = 0; i < 6; i++) row[column + i] = equations.byCamera[o * 12 + axis * 6 + i];
        for (let i = 0; i < 3; i++) row[size + index.point[o] * 3 + i] = equations.byPoint[o * 6 + axis * 3 + i];
        const group = index.calibrationOf[index.camera[o]];
        for (let i = 0; i < index.refine[group].length; i++) {
          row[index.calibrationColumn[group] + i] = equations.byCalibration[(o * 2 + axis) * index.widest + i];
        }
        for (let i = 0; i < total; i++) for (let j = 0; j < total; j++) whole[i * total + j] += row[i] * row[j];
      }
    }
    for (let k = total - 1; k >= size; k--) {
      for (let i = 0; i < k; i++) {
        const factor = whole[i * total + k] / whole[k * total + k];
        for (let j = 0; j < k; j++) whole[i * total + j] -= factor * whole[k * total + j];
      }
    }
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        const scale = Math.sqrt(whole[i * total + i] * whole[j * total + j]) + 1;
        const stored = j < index.envelope.first[i] ? 0 : schur.reduced[index.envelope.base[i] + j];
        assert.ok(Math.abs(stored - whole[i * total + j]) < 1e-6 * scale, `own ${own} ${i},${j}`);
      }
    }
  }
});

test("cameras 1.7° and 10 cm off, points 10 cm off: exact data is recovered, in any gauge and scale", () => {
  for (const scale of [1e-3, 1, 1e3]) {
    const random = seededRandom(3);
    const { problem, truth } = bundleScene(random, 8, 300, { scale });
    perturb(problem, random, 0.03, 0.1 * scale);
    const report = adjustBundle(problem, { maxIterations: 60, tolerance: 1e-14 });
    assert.ok(report.costAfter < 1e-8 * report.observations, `cost ${report.costAfter}`);
    assert.ok(pointError(problem.points, truth.points) < 1e-6 * scale);
  }
});

test("focal length 10 % off with distortion: found from exact data", () => {
  const random = seededRandom(4);
  const { problem, truth } = bundleScene(random, 8, 300, { calibration: [1400, 1400, 800, 533, -0.08, 0.02] });
  perturb(problem, random, 0.01, 0.03);
  problem.calibrations.set([1540, 1540, 800, 533, 0, 0]);
  adjustBundle({ ...problem, refine: [["f", "k1", "k2"]] }, { maxIterations: 100, tolerance: 1e-14 });
  assert.ok(Math.abs(problem.calibrations[0] - 1400) < 0.01, `${problem.calibrations}`);
  assert.equal(problem.calibrations[0], problem.calibrations[1]);
  assert.ok(pointError(problem.points, truth.points) < 1e-4);
});

test("a tenth of the observations wrong, all to one side: Cauchy holds, soft-L1 bends less than least squares", () => {
  const errors = (["squared", "cauchy", "soft-l1"] as const).map((kind) => {
    const random = seededRandom(5);
    const { problem, truth } = bundleScene(random, 8, 300, { sigmaPx: 0.5 });
    for (let o = 0; o < problem.observationPixels.length; o += 20) problem.observationPixels[o] += 60 * random() + 10;
    perturb(problem, random, 0.005, 0.02);
    adjustBundle(problem, { loss: { kind, scalePx: 1 }, maxIterations: 60 });
    return pointError(problem.points, truth.points);
  });
  assert.ok(errors[1] < 6e-3, `${errors}`);
  assert.ok(errors[0] > errors[2] && errors[2] > errors[1], `${errors}`);
});

test("what is constant keeps its bits; what is free moves; the first camera anchors where nothing else does", () => {
  const random = seededRandom(6);
  const { problem } = bundleScene(random, 6, 100, { sigmaPx: 1 });
  const constantPose = Uint8Array.of(0, 1, 0, 1, 0, 0);
  const constantPoint = new Uint8Array(100).fill(1, 0, 30);
  const held = { ...problem, constantPose, constantPoint };
  const before = { poses: held.poses.slice(), points: held.points.slice(), calibrations: held.calibrations.slice() };
  adjustBundle(held);
  for (let c = 0; c < 6; c++) {
    const same =
      largestDifference(held.poses.slice(c * 12, c * 12 + 12), before.poses.slice(c * 12, c * 12 + 12)) === 0;
    assert.equal(same, constantPose[c] === 1);
  }
  assert.deepEqual(held.points.slice(0, 90), before.points.slice(0, 90));
  assert.notDeepEqual(held.points.slice(90), before.points.slice(90));
  assert.deepEqual(held.calibrations, before.calibrations);
  adjustBundle(problem);
  const first = problem.poses.slice(0, 12);
  perturb({ ...problem, constantPose: Uint8Array.of(1, 0, 0, 0, 0, 0) }, random, 0.001, 0.001);
  adjustBundle(problem);
  assert.deepEqual(problem.poses.slice(0, 12), first);
});

test("a prior pulls as its sigma says: one tight beats the data, one loose does not", () => {
  const focal = (sigma: number) => {
    const { problem } = bundleScene(seededRandom(7), 6, 100, { sigmaPx: 0.5 });
    const priors = [{ calibration: 0, parameter: "f", value: 1500, sigma } as const];
    adjustBundle({ ...problem, refine: [["f"]], priors }, { maxIterations: 50 });
    return problem.calibrations[0];
  };
  assert.ok(Math.abs(focal(0.01) - 1500) < 1);
  assert.ok(Math.abs(focal(1000) - 1400) < 10);
});

test("the sigma of the focal length is what repeated trials scatter by", () => {
  const focals: number[] = [];
  let claimed = 0;
  let pixelSigma = 0;
  const trials = 60;
  for (let s = 0; s < trials; s++) {
    const { problem } = bundleScene(seededRandom(8), 6, 60);
    const random = seededRandom(100 + s);
    problem.observationPixels.forEach((value, i) => {
      problem.observationPixels[i] = value + 0.5 * randomNormal(random);
    });
    const report = adjustBundle(
      { ...problem, refine: [["f"]] },
      { loss: SQUARED, maxIterations: 50, covariance: true },
    );
    assert.ok(report.covariance);
    claimed += report.covariance.calibrationSigma[0] / trials;
    pixelSigma += report.covariance.pixelSigma / trials;
    focals.push(problem.calibrations[0]);
  }
  const scatter = Math.sqrt(focals.reduce((sum, f) => sum + (f - 1400) ** 2, 0) / trials);
  assert.ok(Math.abs(pixelSigma - 0.5) < 0.02, `${pixelSigma}`);
  assert.ok(scatter / claimed > 0.75 && scatter / claimed < 1.3, `${scatter} ${claimed}`);
});

test("the sigmas of the centres are what they scatter by among themselves, whichever camera was held", () => {
  const trials = 40;
  const cameras = 6;
  let [scattered, told] = [0, 0];
  for (let s = 0; s < trials; s++) {
    const { problem, truth } = bundleScene(seededRandom(8), cameras, 60);
    const random = seededRandom(200 + s);
    problem.observationPixels.forEach((value, i) => {
      problem.observationPixels[i] = value + 0.5 * randomNormal(random);
    });
    const options = { loss: SQUARED, maxIterations: 50, tolerance: 1e-12, covariance: true } as const;
    const held = (camera: number) => Uint8Array.from({ length: cameras }, (_, c) => (c === camera ? 1 : 0));
    const { covariance } = adjustBundle({ ...problem, constantPose: held(0) }, options);
    const other = adjustBundle({ ...problem, constantPose: held(4) }, options).covariance;
    assert.ok(covariance && other);
    const off = largestDifference(covariance.pose, other.pose);
    assert.ok(off < 1e-3 * Math.max(...covariance.pose), `${off} of ${Math.max(...covariance.pose)}`);
    for (let c = 0; c < cameras; c++) {
      for (const axis of [21, 28, 35]) told += covariance.pose[c * 36 + axis];
    }
    const centres = (poses: Float64Array) =>
      Float64Array.from({ length: cameras * 3 }, (_, i) => cameraCentre(poses, 12 * Math.floor(i / 3))[i % 3]);
    scattered += cameras * pointError(centres(problem.poses), centres(truth.poses)) ** 2;
  }
  // The best similarity of the centres alone leaves them somewhat less than the frame of whole cameras.
  const ratio = Math.sqrt(scattered / told);
  assert.ok(ratio > 0.6 && ratio < 1.05, `${ratio}`);
});

test("an abort between iterations throws its reason and leaves a whole, better state", () => {
  const random = seededRandom(9);
  const { problem } = bundleScene(random, 6, 100);
  perturb(problem, random, 0.03, 0.1);
  const controller = new AbortController();
  const steps = bundleIterations(problem, { signal: controller.signal });
  const first = steps.next().value;
  controller.abort(new Error("stop"));
  assert.throws(() => steps.next(), /stop/);
  const index = indexBundle(problem);
  assert.equal(bundleCost(problem, index, problem, { kind: "cauchy", scalePx: 1 }), first);
});

test("REC-8 of hundreds of cameras a caller gets a word in within an iteration, and with the covariance", () => {
  const { problem } = bundleScene(seededRandom(5), 160, 24, { sigmaPx: 0.5, share: 1 });
  const iterating = bundleIterations(problem, { maxIterations: 1, covariance: true });
  const costs: number[] = [];
  let turn = iterating.next();
  for (; !turn.done; turn = iterating.next()) costs.push(turn.value);
  assert.equal(turn.value.iterations, 1);
  assert.ok(costs.length >= 5, `asked ${costs.length} times`);
  assert.ok(costs.every((cost) => cost === turn.value.costBefore || cost === turn.value.costAfter));
  assert.ok(turn.value.covariance);
});

test("points seen once, never, or only from behind do not disturb the rest", () => {
  const random = seededRandom(10);
  const { problem, truth } = bundleScene(random, 6, 100);
  const points = Float64Array.from([...problem.points, 1, 1, 1, 0, 0, 0, 0, 0, -100]);
  const bundle = {
    ...problem,
    points,
    observationCamera: Int32Array.from([...problem.observationCamera, 0, 0, 1]),
    observationPoint: Int32Array.from([...problem.observationPoint, 100, 102, 102]),
    observationPixels: Float64Array.from([...problem.observationPixels, 500, 500, 500, 500, 600, 500]),
  };
  perturb({ ...bundle, points: points.subarray(0, 300) }, random, 0.01, 0.03);
  adjustBundle(bundle, { maxIterations: 60, tolerance: 1e-12 });
  assert.ok(points.every(Number.isFinite));
  assert.ok(pointError(points.slice(0, 300), truth.points) < 1e-4);
});

test("nonsense is refused with its number", () => {
  const { problem } = bundleScene(seededRandom(11), 3, 10);
  const twice = (array: Int32Array) => Int32Array.from([...array, array[0]]);
  assert.throws(
    () =>
      adjustBundle({
        ...problem,
        observationCamera: twice(problem.observationCamera),
        observationPoint: twice(problem.observationPoint),
        observationPixels: Float64Array.from([...problem.observationPixels, 1, 1]),
      }),
    /sees point 0 twice/,
  );
  assert.throws(() => adjustBundle({ ...problem, observationPixels: new Float64Array(4) }), RangeError);
  assert.throws(() => adjustBundle({ ...problem, calibrationOf: Int32Array.of(0, 1, 0) }), RangeError);
  assert.throws(() => adjustBundle({ ...problem, refine: [["f", "fx"]] }), RangeError);
});

test("weights let sure observations speak: cameras come out nearer the truth than with all alike", () => {
  const errors = [false, true].map((weighted) => {
    let sum = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const random = seededRandom(seed);
      const { problem, truth } = bundleScene(random, 6, 150);
      const sigmas = Float64Array.from(problem.observationPoint, () => (random() < 0.5 ? 0.2 : 2));
      for (let i = 0; i < problem.observationPixels.length; i++) {
        problem.observationPixels[i] += sigmas[i >> 1] * randomNormal(random);
      }
      const observationWeight = sigmas.map((sigma) => 1 / sigma);
      adjustBundle({ ...problem, ...(weighted && { observationWeight }) }, { loss: SQUARED });
      sum += pointError(problem.points, truth.points);
    }
    return sum / 8;
  });
  assert.ok(errors[1] < 0.8 * errors[0], `${errors[1]} against ${errors[0]}`);
  const { problem } = bundleScene(seededRandom(1), 3, 10);
  assert.throws(() => indexBundle({ ...problem, observationWeight: new Float64Array(3) }), RangeError);
});
