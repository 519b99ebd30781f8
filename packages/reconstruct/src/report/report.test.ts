import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import { check, EngineReport } from "@cairn/protocol";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

async function engineOf(shots: readonly Shot[], options: Parameters<typeof syntheticPhotos>[1] = { told: true }) {
  const synthetic = syntheticPhotos(shots, options);
  const core = new EngineCore(synthetic.kernels, 1);
  for (const photo of synthetic.photos) await core.add(photo, undefined, FREE);
  return { core, synthetic };
}

describe("the report of a model (docs/spec/report.md)", () => {
  test("RPT-2 RPT-4 it says what the model is: photos, errors, tracks, pairs, lenses", async () => {
    const stranger: Shot = { ...arc(6)[2], place: 1 };
    const { core } = await engineOf([...arc(7), stranger]);
    const { cameras, points } = await core.rebuild(FREE);
    const report = core.report();
    // Ids of the tests are none of the protocol's.
    const uuid = (image: string) => `00000000-0000-4000-8000-00000000000${image.slice(6)}`;
    check(EngineReport, { ...report, photos: report.photos.map((each) => ({ ...each, image: uuid(each.image) })) });
    assert.deepEqual(
      report.photos.map(({ image, verdict, reason }) => [image, reason ?? verdict]),
      [...Array(7).keys()].map((k) => [`photo-${k}`, "registered"]).concat([["photo-7", "overlap"]]),
    );
    assert.equal(cameras.length, 7);
    // Noise of 0.3 px on each axis of a photo at half size: 0.75 px of the photo at full size, less what fits away.
    assert.ok(report.reprojection.meanPx > 0.55 && report.reprojection.meanPx < 0.8, `${report.reprojection.meanPx}`);
    const seen = report.reprojection.histogramPx.counts.reduce((sum, n) => sum + n, 0);
    const byLength = report.tracks.counts.reduce((sum, n, length) => sum + n * length, 0);
    assert.equal(seen, byLength);
    assert.equal(report.points, core.model().positions.length / 3);
    assert.ok(report.points >= points.positions.length / 3);
    assert.equal(report.graph.edges.length, 21, "all of seven photos on an arc see one another");
    assert.ok(
      report.graph.edges.every(
        ({ agrees, kind, inliers, matches }) => agrees && kind === "general" && inliers < matches,
      ),
    );
    assert.deepEqual(report.graph.components, [{ photos: [0, 1, 2, 3, 4, 5, 6], posed: 7 }]);
    assert.deepEqual(report.graph.weakLinks, []);
    assert.deepEqual(report.lenses, [{ source: "given", focalPx: 2160, sigmaPx: 0, certain: true, photos: 8 }]);
  });

  test("RPT-6 the sigmas of the poses are as large as their errors, and no camera is sure by itself", async () => {
    const squares: number[] = [];
    for (const seed of [1, 2, 3]) {
      const { core, synthetic } = await engineOf(arc(6), { told: true, seed });
      const { cameras } = await core.rebuild(FREE);
      const sigmas = new Map(core.report().photos.map(({ image, sigma }) => [image, sigma]));
      const centres = cameras.map(({ pose }) => cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)));
      const truth = cameras.map(({ image }) => synthetic.truth[Number(image.slice(6))].eye);
      const [from, to] = [truth, centres].map((all) => Float64Array.from(all.flatMap((each) => [...each])));
      const errors = new Float64Array(cameras.length);
      alignmentDistances(alignPoints(from, to)!, from, to, errors);
      for (const [i, { image, sigma }] of cameras.entries()) {
        assert.deepEqual(sigma, sigmas.get(image));
        squares.push((errors[i] / sigma!.position) ** 2);
      }
    }
    const ratio = Math.sqrt(squares.reduce((sum, each) => sum + each, 0) / squares.length);
    // Synthetic features err by chance alone, of which photos' errors are a multiple that the sigmas allow for.
    assert.ok(ratio > 0.1 && ratio < 1, `errors are ${ratio} of what is said`);
  });

  test("RPT-7 coverage: what two near photos see is seen from one direction, what an arc sees from many", async () => {
    const near = await engineOf(arc(2, 0.12));
    const few = near.core.report().coverage;
    assert.ok(few.patches > 20);
    assert.equal(
      few.bySpreadViews.slice(2).reduce((sum, n) => sum + n, 0),
      0,
    );
    assert.ok(few.weakest.every(({ spreadDeg }) => spreadDeg < 8));
    const wide = await engineOf(arc(8, 1.2));
    const many = wide.core.report().coverage;
    const total = many.bySpreadViews.reduce((sum, n) => sum + n, 0);
    assert.equal(total, many.patches);
    assert.ok(many.bySpreadViews.slice(4).reduce((sum, n) => sum + n, 0) > 0.8 * total, `${many.bySpreadViews}`);
  });

  test("RPT-5 two places that do not connect are two groups", async () => {
    const { core } = await engineOf([...arc(3, 0.5, 0), ...arc(5, 0.9, 1)]);
    await core.rebuild(FREE);
    const { graph, photos } = core.report();
    assert.deepEqual(graph.components, [
      { photos: [3, 4, 5, 6, 7], posed: 5 },
      { photos: [0, 1, 2], posed: 0 },
    ]);
    assert.deepEqual(graph.weakLinks, []);
    assert.ok([0, 1].includes(photos[2].nearest!.photo), "a photo without a pose names the one it looks most like");
  });
});
