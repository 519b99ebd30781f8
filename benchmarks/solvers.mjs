/** CPU milliseconds per call of the geometry solvers: `node benchmarks/solvers.mjs` after a build. */
import {
  adjustBundle,
  classifyTwoView,
  estimateAbsolutePose,
  estimateHomography,
  estimateRelativePose,
  relativePose,
  rotationAngle,
  seededRandom,
} from "../packages/geometry/dist/index.js";
import { bundleScene, perturb } from "../packages/geometry/dist/test/bundle-scene.js";
import { addOutliers, arcOfCameras, lookAt, observe, randomPoints } from "../packages/geometry/dist/test/scene.js";

/** Median CPU time of `run(seed)`, milliseconds, after three calls to warm up. */
function measure(name, runs, run) {
  const times = [];
  let note = "";
  for (let seed = -3; seed < runs; seed++) {
    const call = run(seed + 3);
    const before = process.cpuUsage();
    const result = call();
    const used = process.cpuUsage(before);
    if (seed >= 0) times.push((used.user + used.system) / 1000);
    note = result ?? note;
  }
  times.sort((a, b) => a - b);
  const [median, largest] = [times[times.length >> 1], times[times.length - 1]];
  console.log(
    `${name.padEnd(58)} median ${median.toFixed(2).padStart(8)} ms  max ${largest.toFixed(2).padStart(8)} ms  ${note}`,
  );
}

for (const wrong of [0.3, 0.5, 0.7]) {
  let right = 0;
  let total = 0;
  measure(`relative pose, 1500 matches, ${100 - wrong * 100} % right`, 20, (seed) => {
    const random = seededRandom(seed);
    const [a, b] = [lookAt([-0.6, 0.1, -5]), lookAt([0.3 + random(), -0.2, -5])];
    const points = randomPoints(random, 1500, [1.5, 1.5, 1.5]);
    const [first, second] = [a, b].map((pose) => observe(pose, 0, points, 4e-4, random));
    addOutliers(second, wrong, 0.4, random);
    return () => {
      const found = estimateRelativePose(first, second, { random, maxError: 1.4e-3 });
      total++;
      if (found && rotationAngle(found.pose, 0, relativePose(a, b), 0) < 0.01) right++;
      return `right ${right} of ${total}`;
    };
  });
}
measure("relative pose, 1500 matches ranked, 30 % right", 20, (seed) => {
  const random = seededRandom(seed);
  const points = randomPoints(random, 1500, [1.5, 1.5, 1.5]);
  const [first, second] = [lookAt([-0.6, 0.1, -5]), lookAt([0.8, -0.2, -5])].map((pose) =>
    observe(pose, 0, points, 4e-4, random),
  );
  const worth = Array.from(addOutliers(second, 0.7, 0.4, random), (wrong) => random() + 0.5 * wrong);
  const ranking = Int32Array.from(worth.keys()).sort((p, q) => worth[p] - worth[q]);
  return () => estimateRelativePose(first, second, { random, maxError: 1.4e-3, ranking })?.inlierCount.toString();
});
for (const [name, depth] of [
  ["solid", 1.5],
  ["flat", 0],
]) {
  measure(`what a pair is, 1500 matches of a ${name} scene, 60 % right`, 20, (seed) => {
    const random = seededRandom(seed);
    const points = randomPoints(random, 1500, [1.5, 1.5, depth]);
    const [first, second] = [lookAt([-0.6, 0.1, -5]), lookAt([0.8, 0, -4.5])].map((p) =>
      observe(p, 0, points, 4e-4, random),
    );
    addOutliers(second, 0.4, 0.4, random);
    return () => classifyTwoView(first, second, { random, maxError: 1.4e-3 }).kind;
  });
}
measure("homography, 1500 matches of a solid scene", 20, (seed) => {
  const random = seededRandom(seed);
  const points = randomPoints(random, 1500, [1.5, 1.5, 1.5]);
  const [first, second] = [lookAt([-0.6, 0.1, -5]), lookAt([0.8, 0, -5])].map((p) =>
    observe(p, 0, points, 4e-4, random),
  );
  return () => estimateHomography(first, second, { random, maxError: 1.4e-3 })?.inlierCount.toString();
});
measure("absolute pose, 500 points, 60 % right", 20, (seed) => {
  const random = seededRandom(seed);
  const pose = arcOfCameras(random, 1, 5, 0);
  const points = randomPoints(random, 500, [2, 2, 2]);
  const rays = observe(pose, 0, points, 7e-4, random);
  addOutliers(rays, 0.4, 0.4, random);
  return () => estimateAbsolutePose(points, rays, { random, maxError: 4e-3 })?.inlierCount.toString();
});
for (const [name, refine] of [
  ["poses and points", []],
  ["and shared f, k1", ["f", "k1"]],
]) {
  measure(`bundle, 11 cameras, 15k points, ${name}, per iteration`, 3, (seed) => {
    const { problem } = bundleScene(seededRandom(seed), 11, 15_000, { sigmaPx: 0.5, share: 0.31 });
    perturb(problem, seededRandom(seed + 1), 0.03, 0.1);
    let before = process.cpuUsage();
    return () => {
      before = process.cpuUsage();
      const report = adjustBundle({ ...problem, refine: [refine] }, { maxIterations: 15 });
      const used = process.cpuUsage(before);
      const each = (used.user + used.system) / 1000 / Math.max(1, report.iterations);
      return `${each.toFixed(1)} ms an iteration, ${report.iterations} iterations, ${report.observations} observations`;
    };
  });
}
measure("local bundle, 6 free cameras of 100, per iteration", 3, (seed) => {
  const { problem } = bundleScene(seededRandom(seed), 100, 400, { sigmaPx: 0.5, share: 0.24 });
  const local = { ...problem, constantPose: Uint8Array.from({ length: 100 }, (_, c) => (c < 94 ? 1 : 0)) };
  perturb(local, seededRandom(seed), 0.005, 0.02);
  return () => {
    const before = process.cpuUsage();
    const report = adjustBundle(local, { maxIterations: 10 });
    const used = process.cpuUsage(before);
    const each = (used.user + used.system) / 1000 / Math.max(1, report.iterations);
    return `${each.toFixed(1)} ms an iteration, ${report.iterations} iterations, ${report.observations} observations`;
  };
});
