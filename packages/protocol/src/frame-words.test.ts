import assert from "node:assert/strict";
import { test } from "node:test";
import { frameInWords, scaleInWords, uprightInWords } from "./frame-words.ts";

test("a frame is told with how surely it is known and by what", () => {
  const rows = frameInWords({
    upright: { source: "verticals", sigmaDeg: 0.3, tiltDeg: 0.1 },
    scale: { source: "gps", metres: 2.3123, sigma: 0.0123 },
    georeference: {
      latitudeDeg: -48.95,
      longitudeDeg: 8.4,
      altitudeM: 130,
      enuFromModel: { scale: 2.3123, rotation: [1, 0, 0, 0], translation: [0, 0, 0] },
      residualM: 0.4123,
    },
    doubts: ["focal_uncertain"],
  });
  assert.deepEqual(
    rows.map(({ name }) => name),
    ["Up", "Unit", "Place", "Doubtful"],
  );
  assert.deepEqual(
    rows.slice(0, 3).map(({ text }) => text),
    [
      "z is up, ±0.3° by plumb lines",
      "1 unit is 2.31 m by GPS, ±1.2 %",
      "48.95000° S, 8.40000° E; cameras 0.41 m from where GPS saw them (RMS)",
    ],
  );
});

test("what is not known is said to be so, or left out", () => {
  assert.deepEqual(frameInWords({}), []);
  assert.equal(scaleInWords({ source: "unit" }), "no scale: its unit is not a metre");
  assert.equal(scaleInWords({ source: "gps", metres: 1234 }), "1 unit is 1230 m by GPS");
  assert.equal(scaleInWords({ source: "motion", metres: 1 }), "1 unit is 1.00 m by motion sensors");
  assert.equal(
    uprightInWords({ source: "cameras", sigmaDeg: 12, tiltDeg: 40 }),
    "z is 40° from up, ±12° by how the cameras are held",
  );
});
