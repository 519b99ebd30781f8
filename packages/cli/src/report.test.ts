import assert from "node:assert/strict";
import { test } from "node:test";
import type { Report } from "@cairn/protocol";
import { reportText } from "./report.ts";

test("RPT-3 the report in words: who is not used and why, how well it fits, where it is weak", () => {
  const made: Report = {
    generation: 3,
    used: 2,
    photos: [
      { image: "a", name: "a.jpg", verdict: "registered", sigma: { position: 0.00123, rotationDeg: 0.021 } },
      { image: "b", name: "b.jpg", verdict: "registered", sigma: { position: 0, rotationDeg: 0 } },
      { image: "c", name: "c.jpg", verdict: "waiting", reason: "overlap", nearest: { photo: 1, matches: 9 } },
    ],
    points: 700,
    reprojection: { meanPx: 0.512, medianPx: 0.4, histogramPx: { bin: 0.25, counts: [8, 4, 0] } },
    tracks: { meanViews: 2.25, counts: [0, 0, 500, 200] },
    graph: {
      edges: [
        { a: 0, b: 1, matches: 90, inliers: 70, kind: "general", angleDeg: 4, agrees: true },
        { a: 0, b: 2, matches: 90, inliers: 70, kind: "general", angleDeg: 4, agrees: false },
      ],
      components: [{ photos: [0, 1, 2], posed: 2 }],
      weakLinks: [{ photos: [0, 1], parts: [1, 1] }],
    },
    lenses: [
      { source: "estimated", focalPx: 1437.23, sigmaPx: 80, certain: false, photos: 2 },
      { source: "given", focalPx: 1725, sigmaPx: 0, certain: false, toldPx: 1438.2, photos: 1 },
    ],
    doubts: ["focal_uncertain"],
    coverage: { patch: 0.2, patches: 30, bySpreadViews: [0, 20, 6, 3, 1], weakest: [] },
  };
  assert.equal(
    reportText("castle", made),
    `castle, generation 3
  photos   2 of 3 used
           c.jpg: Too little overlap with the other photos. Take one in between; it is tried again with each new photo. Most like b.jpg: 9 matches.
  error    0.51 px mean, 0.40 median
           █▄   0 to 0.75 px
  points   700, each seen by 2.3 photos
           █▄  2 to 3 photos
  poses    least sure a.jpg: ±0.0012 and 0.021°
  pairs    2; 1 against the model
  weak     a.jpg – b.jpg: 1 and 1 photos hang together by it
  lens     1437.2 ± 80.0 px, estimated, uncertain; 2 photos
  lens     1725.0 ± 0.0 px, given, uncertain; 1 photos, which tell about 1438 px
  surface  30 patches: 20 seen from one direction, 6 from two, 4 from more
  doubt    The focal length is a guess, so the model may be stretched or bent. Give the camera's calibration or photos with their EXIF, or take more from the sides.`,
  );
});
