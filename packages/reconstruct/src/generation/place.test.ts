/** How surely GPS tells metres and up, held against how far off they are: rings of cameras, and a receiver's noise. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNormal, seededRandom } from "@cairn/geometry";
import { placeOnEarth, scaleOf } from "./place.ts";
import { upOf } from "./upright.ts";

const METRES_A_DEGREE = 111_320;
const SITE = { latitudeDeg: 47, longitudeDeg: 8, altitudeM: 400 };
/** One standard deviation of a receiver's places and heights, metres. */
const NOISE = { placeM: 1.5, heightM: 3 };
const FAR_OFF = 4;

type Trial = {
  /** How far the scale is off, in standard deviations that were told. */
  readonly scale: number;
  /** The same of up, about the axis about which it is off most. */
  readonly up: number;
};

/** A model whose unit is a metre and whose axes are east, north and up; undefined where no place is told. */
function trial(random: () => number, photos: number, radiusM: number, jumpM = 0): Trial | undefined {
  const seen = Array.from({ length: photos }, (_, k) => {
    const a = (2 * Math.PI * k) / photos;
    const centre = [radiusM * Math.cos(a), radiusM * Math.sin(a), 1.5 * randomNormal(random)] as const;
    const noise = [NOISE.placeM, NOISE.placeM, NOISE.heightM].map((sigma) => sigma * randomNormal(random));
    const [east, north, high] = centre.map((x, axis) => x + noise[axis]);
    const gps = {
      latitudeDeg: SITE.latitudeDeg + (north + (k === 1 ? jumpM : 0)) / METRES_A_DEGREE,
      longitudeDeg: SITE.longitudeDeg + east / (METRES_A_DEGREE * Math.cos((SITE.latitudeDeg * Math.PI) / 180)),
      altitudeM: SITE.altitudeM + high,
    };
    const translation: [number, number, number] = [-centre[0], -centre[1], -centre[2]];
    return {
      image: `${k}`,
      centre,
      gps,
      pose: { rotation: [1, 0, 0, 0] as [number, number, number, number], translation },
    };
  });
  const placed = placeOnEarth(seen, (image) => seen[Number(image)].gps);
  if (!placed) return undefined;
  const scale = scaleOf(seen, placed);
  const up = upOf({ poses: [], lines: [], places: seen, seed: 1 });
  assert.ok(scale.metres && scale.sigma && up?.source === "gps");
  const [x, y] = up.direction;
  const leanDeg = (Math.max(Math.abs(x), Math.abs(y)) * 180) / Math.PI;
  return { scale: Math.abs(scale.metres - 1) / scale.sigma, up: leanDeg / up.sigmaDeg };
}

/** Shares of those that were told, in percent. */
function farOff(trials: readonly (Trial | undefined)[]) {
  const told = trials.filter((each) => each !== undefined);
  const share = (of: (each: Trial) => number) =>
    (100 * told.filter((each) => of(each) > FAR_OFF).length) / Math.max(1, told.length);
  return { told: told.length, scale: share(({ scale }) => scale), up: share(({ up }) => up) };
}

test("MAP-7 MAP-8 GPS of three to eight photos is as sure of metres and of up as it may be: 4σ are next to never passed", (t) => {
  const random = seededRandom(1);
  for (const radiusM of [15, 40]) {
    for (const photos of [3, 4, 5, 8]) {
      const trials = Array.from({ length: photos < 8 ? 600 : 100 }, () => trial(random, photos, radiusM));
      const { told, scale, up } = farOff(trials);
      const shares = `${photos} photos on ${radiusM} m, ${told} of ${trials.length} told: ${scale.toFixed(1)} % of scales, ${up.toFixed(1)} % of ups`;
      t.diagnostic(shares);
      assert.ok(told > 0 && scale <= 1.5 && up <= 1.5, shares);
    }
  }
});

test("GENR-14 of few photos none is left out to make the others fit: where one jumped by 60 m no place is told", () => {
  const random = seededRandom(2);
  for (const photos of [3, 4, 5, 6]) {
    const trials = Array.from({ length: 100 }, () => trial(random, photos, 15, 60));
    assert.equal(farOff(trials).told, 0, `${photos} photos`);
  }
});
