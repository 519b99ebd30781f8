import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  invertSimilarity,
  quaternionOfSimilarity,
  type Similarity3,
  transformPoints,
} from "../alignment/similarity.ts";
import { randomNormal, seededRandom } from "../random.ts";
import { largestDifference, randomPoints, randomRotation } from "../test/scene.ts";
import { ecefFromModel, type GeodeticPlace, georeference } from "./georeference.ts";
import { ecefFromEnu, ecefFromGeodetic } from "./wgs84.ts";

const seed = fc.integer({ min: 0, max: 1e6 });

test("places that others measured: the equator, the poles, and the laser station of Herstmonceux", () => {
  const near = (place: readonly [number, number, number], x: number, y: number, z: number) =>
    assert.ok(largestDifference(ecefFromGeodetic(...place), Float64Array.of(x, y, z)) < 1e-3, `${place}`);
  near([0, 0, 0], 6378137, 0, 0);
  near([0, 90, 100], 0, 6378237, 0);
  near([90, 0, 0], 0, 0, 6356752.3142);
  near([-90, 45, 10], 0, 0, -6356762.3142);
  // Its catalogue gives geodetic and Cartesian coordinates side by side.
  const herstmonceux = ecefFromGeodetic(50.8673833, 0.3361214, 75.348);
  assert.ok(largestDifference(herstmonceux, Float64Array.of(4033463.8, 23662.4, 4924305.1)) < 1);
});

test("the level frame of a place: right-handed, its up leaves the ellipsoid, north goes towards the pole", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -89, max: 89, noNaN: true }),
      fc.double({ min: -180, max: 180, noNaN: true }),
      (lat, lon) => {
        const frame = ecefFromEnu(lat, lon, 12);
        const at = (enu: number[]) => transformPoints(frame, Float64Array.from(enu));
        assert.ok(largestDifference(at([0, 0, 50]), ecefFromGeodetic(lat, lon, 62)) < 1e-6);
        assert.ok(largestDifference(at([0, 1, 0]), ecefFromGeodetic(lat + 1 / 111_000, lon, 12)) < 0.02);
        const eastM = (Math.cos((lat * Math.PI) / 180) * 111_319) / 1e5;
        assert.ok(largestDifference(at([eastM, 0, 0]), ecefFromGeodetic(lat, lon + 1e-5, 12)) < 0.02);
      },
    ),
    { seed: 1 },
  );
});

/** Cameras of a model that lies somewhere on the earth, and where a receiver saw them. */
function capture(seedNumber: number, n: number, options: { sigmaM?: number; flat?: boolean; line?: boolean } = {}) {
  const random = seededRandom(seedNumber);
  const place = {
    latitudeDeg: 140 * (random() - 0.5),
    longitudeDeg: 360 * (random() - 0.5),
    altitudeM: 300 * random(),
  };
  const enu = randomPoints(random, n, [30, options.line ? 0 : 20, options.line || options.flat ? 0 : 4]);
  const enuFromModel: Similarity3 = {
    scale: 0.5 + 4 * random(),
    rotation: randomRotation(random, Math.PI),
    translation: randomPoints(random, 1, [5, 5, 5]),
  };
  const centres = transformPoints(invertSimilarity(enuFromModel), enu);
  const ecef = transformPoints(ecefFromEnu(place.latitudeDeg, place.longitudeDeg, place.altitudeM), enu);
  const noise = () => (options.sigmaM ?? 0) * randomNormal(random);
  const places = Array.from({ length: n }, (_, i): Required<GeodeticPlace> => {
    const seen = [0, 1, 2].map((k) => ecef[3 * i + k] + noise());
    return geodeticFromEcef(seen);
  });
  return { place, enu, centres, places, ecef, truth: { ...place, enuFromModel: quaternionOfSimilarity(enuFromModel) } };
}

/** By iteration (Bowring's start): only tests need this way round. */
function geodeticFromEcef([x, y, z]: number[]): Required<GeodeticPlace> {
  const e2 = 6.69437999014e-3;
  const p = Math.hypot(x, y);
  let latitude = Math.atan2(z, p * (1 - e2));
  let altitudeM = 0;
  for (let i = 0; i < 10; i++) {
    const normalM = 6378137 / Math.sqrt(1 - e2 * Math.sin(latitude) ** 2);
    altitudeM = p / Math.cos(latitude) - normalM;
    latitude = Math.atan2(z, p * (1 - (e2 * normalM) / (normalM + altitudeM)));
  }
  return { latitudeDeg: (latitude * 180) / Math.PI, longitudeDeg: (Math.atan2(y, x) * 180) / Math.PI, altitudeM };
}

function onEarth(found: NonNullable<ReturnType<typeof georeference>>, centres: Float64Array): Float64Array {
  const m = ecefFromModel(found);
  return Float64Array.from(centres, (_, i) => {
    const [axis, at] = [i % 3, i - (i % 3)];
    return m[axis] * centres[at] + m[4 + axis] * centres[at + 1] + m[8 + axis] * centres[at + 2] + m[12 + axis];
  });
}

function farthest(a: Float64Array, b: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i += 3)
    most = Math.max(most, Math.hypot(a[i] - b[i], a[i + 1] - b[i + 1], a[i + 2] - b[i + 2]));
  return most;
}

test("GENR-13 exact GPS puts every camera on its place on the earth to a tenth of a millimetre", () => {
  fc.assert(
    fc.property(seed, fc.constantFrom(3, 4, 7, 40), (s, n) => {
      const { centres, places, ecef } = capture(s, n);
      const found = georeference(centres, places);
      if (!found) return assert.equal(n, 3); // they may happen to stand on a line
      assert.ok(farthest(onEarth(found, centres), ecef) < 1e-4);
      assert.ok(found.residualM < 1e-4);
      assert.equal(found.cameras, n);
    }),
    { seed: 1 },
  );
});

test("GENR-13 noise averages out, and a receiver that jumped is left out", () => {
  for (let s = 0; s < 20; s++) {
    const { centres, places, ecef } = capture(s, 30, { sigmaM: 0.5 });
    for (const [i, wrong] of [3, 11, 19].entries()) {
      places[wrong] = { ...places[wrong], latitudeDeg: places[wrong].latitudeDeg + 0.001 * (i + 1) };
    }
    const found = georeference(centres, places);
    assert.ok(found);
    assert.ok(found.cameras >= 24 && found.cameras <= 27, `${found.cameras}`);
    assert.ok(farthest(onEarth(found, centres), ecef) < 1, `${farthest(onEarth(found, centres), ecef)}`);
    assert.ok(found.residualM > 0.5 && found.residualM < 1.1, `${found.residualM}`);
  }
});

test("GENR-14 no place rather than a wrong one: a line, too few, noise as large as the walk, three by chance", () => {
  const none = (centres: Float64Array, places: GeodeticPlace[]) =>
    assert.equal(georeference(centres, places), undefined);
  for (let s = 0; s < 20; s++) {
    const line = capture(s, 12, { line: true, sigmaM: 0.3 });
    none(line.centres, line.places);
    const exactLine = capture(s, 12, { line: true });
    none(exactLine.centres, exactLine.places);
    const few = capture(s, 2);
    none(few.centres, few.places);
    const noisy = capture(s, 12, { sigmaM: 25 });
    none(noisy.centres, noisy.places);
    const three = capture(s, 3, { sigmaM: 6 });
    none(three.centres, three.places);
  }
});

test("GENR-14 the turn and the scale of few photos are as sure as is said: 4σ are next to never passed", () => {
  for (const n of [3, 4, 5, 8]) {
    let told = 0;
    let off = 0;
    for (let s = 0; s < (n < 8 ? 400 : 100); s++) {
      const { centres, places, ecef, truth } = capture(s, n, { sigmaM: 1 });
      const found = georeference(centres, places);
      if (!found) continue;
      told++;
      const turn = turnBetween(ecefFromModel(found), ecefFromModel(truth));
      const scale = Math.abs(found.enuFromModel.scale / truth.enuFromModel.scale - 1);
      if (turn > 4 * found.turnSigma || scale > (4 * found.noiseM) / spreadOf(ecef)) off++;
    }
    assert.ok(told > 10 && off <= 0.01 * told, `${n} photos: ${off} of ${told}`);
  }
});

/** Radians between the rotations of two similarities, 4×4 column-major. */
function turnBetween(a: Float64Array, b: Float64Array): number {
  const columns = [0, 4, 8];
  const dot = (p: Float64Array, q: Float64Array, k: number) => p[k] * q[k] + p[k + 1] * q[k + 1] + p[k + 2] * q[k + 2];
  const trace = columns.reduce((sum, k) => sum + dot(a, b, k) / Math.sqrt(dot(a, a, k) * dot(b, b, k)), 0);
  return Math.acos(Math.max(-1, Math.min(1, (trace - 1) / 2)));
}

/** Root of the sum of the squares of points' distances from their middle. */
function spreadOf(points: Float64Array): number {
  const mean = [0, 1, 2].map((axis) =>
    points.reduce((sum, x, i) => (i % 3 === axis ? sum + (3 * x) / points.length : sum), 0),
  );
  return Math.hypot(...points.map((x, i) => x - mean[i % 3]));
}

test("GENR-13 without altitudes the horizontal place is told, at height 0; with some, those count", () => {
  const { centres, places, place } = capture(4, 20, { flat: true });
  const bare = places.map(({ latitudeDeg, longitudeDeg }) => ({ latitudeDeg, longitudeDeg }));
  const found = georeference(centres, bare);
  assert.ok(found);
  assert.equal(found.altitudeM, 0);
  const sea = ecefFromEnu(place.latitudeDeg, place.longitudeDeg, 0);
  const { enu } = capture(4, 20, { flat: true });
  assert.ok(farthest(onEarth(found, centres), transformPoints(sea, enu)) < 0.01);

  const mixed = places.map((each, i) => (i < 5 ? bare[i] : each));
  const high = georeference(centres, mixed);
  assert.equal(high?.cameras, 15);
  assert.ok(Math.abs((high?.altitudeM ?? 0) - place.altitudeM) < 1);
});

test("GENR-13 a walk across the date line is one place", () => {
  const random = seededRandom(7);
  const enu = randomPoints(random, 12, [40, 30, 5]);
  const ecef = transformPoints(ecefFromEnu(-16.8, 179.9999, 20), enu);
  const places = Array.from({ length: 12 }, (_, i) => geodeticFromEcef([...ecef.subarray(3 * i, 3 * i + 3)]));
  assert.ok(places.some((each) => each.longitudeDeg < 0) && places.some((each) => each.longitudeDeg > 0));
  const found = georeference(enu, places);
  assert.ok(found && farthest(onEarth(found, enu), ecef) < 1e-3);
});
