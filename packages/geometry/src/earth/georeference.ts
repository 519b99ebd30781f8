/**
 * Where a model lies on the earth, from where GPS saw its cameras. The model is laid onto the cameras' places in metres
 * by a similarity (Umeyama 1991); a receiver that jumped is found by the least median of squares and left out
 * (Rousseeuw & Leroy, Robust Regression and Outlier Detection, 1987, ch. 5.1: a 3σ rule that allows for few samples).
 * The answer is then held against its own uncertainty: GPS that is as noisy as the walk was long does not tell which
 * way is up, and no place is better than a wrong one.
 */
import { alignmentDistances, alignPoints, alignPointsRobust } from "../alignment/align.ts";
import {
  composeSimilarities,
  invertSimilarity,
  matrixOfSimilarity,
  type QuaternionSimilarity,
  quaternionOfSimilarity,
  similarityFromQuaternion,
  transformPoints,
} from "../alignment/similarity.ts";
import { symmetricEigen } from "../linear/eigen.ts";
import { seededRandom } from "../random.ts";
import { ecefFromEnu, ecefFromGeodetic } from "./wgs84.ts";

export type GeodeticPlace = {
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
  readonly altitudeM?: number;
};

/** A model's frame on the earth: an east-north-up frame in metres, and how the model lies in it. */
export type ModelOnEarth = {
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
  readonly altitudeM: number;
  readonly enuFromModel: QuaternionSimilarity;
};

export type FoundOnEarth = {
  latitudeDeg: number;
  longitudeDeg: number;
  altitudeM: number;
  enuFromModel: ReturnType<typeof quaternionOfSimilarity>;
  /** RMS distance of the cameras that count from where GPS saw them, metres. */
  residualM: number;
  /** How many cameras count. */
  cameras: number;
  /**
   * What the noise of one coordinate may be, metres: a bound from above, for three cameras fit almost anything. What is
   * told of a standard deviation goes by it, and not by `residualM`.
   */
  noiseM: number;
  /** One standard deviation of the model's turn about the axis about which it is known worst, radians, by `noiseM`. */
  turnSigma: number;
};

const FEWEST = 3;
/** Of fewer a good one is as soon left out as one that jumped, and the rest then fits too well. */
const FEWEST_TO_REJECT = 7;
/**
 * So few residuals may be small by chance, and only those where they are pass the test of the turn: fewer cameras than
 * `FEWEST_TO_REJECT` are not believed to have a better receiver than a good phone under open sky, metres a coordinate
 * (4.9 m in the plane: van Diggelen & Enge 2015, taken as the 95 % circle).
 */
const USUAL_NOISE_M = 2;
/** Largest standard error of the model's turn, radians: 6°. */
const MOST_TURN_RAD = 0.1;
/** Cameras on a line leave the turn about it open: the second extent must be at least this part of the first. */
const LEAST_WIDTH = 0.02;

/** Model frame→earth-centred metres as 4×4, column-major, double precision: the `transform` of a 3D Tiles tileset. */
export function ecefFromModel({ latitudeDeg, longitudeDeg, altitudeM, enuFromModel }: ModelOnEarth): Float64Array {
  const earth = ecefFromEnu(latitudeDeg, longitudeDeg, altitudeM);
  return matrixOfSimilarity(composeSimilarities(earth, similarityFromQuaternion(enuFromModel)));
}

/**
 * @param centres `[n, 3]` where the cameras stand, model frame
 * @param places where GPS saw each. Altitudes are taken as heights above the ellipsoid, as they come. Cameras without
 * one count only when fewer than three have it: then all altitudes are taken as 0, and only the horizontal place is told
 * @returns `undefined` when fewer than three agree, when they stand on a line, or when GPS is too noisy for their spread
 */
export function georeference(centres: Float64Array, places: readonly GeodeticPlace[]): FoundOnEarth | undefined {
  if (centres.length !== places.length * 3)
    throw new RangeError(`${centres.length / 3} cameras, ${places.length} places`);
  const high = places.map(({ altitudeM }, i) => (altitudeM === undefined ? -1 : i)).filter((i) => i >= 0);
  const used = high.length >= FEWEST ? high : places.map((_, i) => i);
  if (used.length < FEWEST) return undefined;
  const known = used.map((i) => places[i]);
  const altitudeOf = ({ altitudeM = 0 }: GeodeticPlace) => (high.length >= FEWEST ? altitudeM : 0);
  const east = ({ longitudeDeg }: GeodeticPlace) => turnedDeg(longitudeDeg - known[0].longitudeDeg);
  const origin = {
    latitudeDeg: median(known.map((place) => place.latitudeDeg)),
    longitudeDeg: turnedDeg(known[0].longitudeDeg + median(known.map(east))),
    altitudeM: median(known.map(altitudeOf)),
  };
  const enuFromEcef = invertSimilarity(ecefFromEnu(origin.latitudeDeg, origin.longitudeDeg, origin.altitudeM));
  const source = new Float64Array(used.length * 3);
  const target = new Float64Array(used.length * 3);
  for (const [k, i] of used.entries()) {
    source.set(centres.subarray(3 * i, 3 * i + 3), 3 * k);
    target.set(ecefFromGeodetic(places[i].latitudeDeg, places[i].longitudeDeg, altitudeOf(places[i])), 3 * k);
  }
  transformPoints(enuFromEcef, target, target);

  const found = layRobustly(source, target);
  if (!found) return undefined;
  const boundM = largestSigma(found.rms, found.inlierCount);
  const turnPerM = turnOfNoise(target, found.inliers);
  if (!(boundM * turnPerM <= MOST_TURN_RAD)) return undefined;
  const noiseM = used.length < FEWEST_TO_REJECT ? Math.max(boundM, USUAL_NOISE_M) : boundM;
  return {
    ...origin,
    enuFromModel: quaternionOfSimilarity(found.similarity),
    residualM: found.rms,
    cameras: found.inlierCount,
    noiseM,
    turnSigma: noiseM * turnPerM,
  };
}

function layRobustly(source: Float64Array, target: Float64Array) {
  const n = source.length / 3;
  const distances = new Float64Array(n);
  if (n < FEWEST_TO_REJECT) {
    const similarity = alignPoints(source, target);
    if (!similarity) return undefined;
    alignmentDistances(similarity, source, target, distances);
    const rms = Math.hypot(...distances) / Math.sqrt(n);
    return { similarity, inliers: new Uint8Array(n).fill(1), inlierCount: n, rms };
  }
  const first = alignPointsRobust(source, target, { random: seededRandom(1), iterations: 300 });
  if (!first) return undefined;
  alignmentDistances(first.similarity, source, target, distances);
  // A similarity from three of a few points runs close by the others too: what looks far says less then.
  const fewSamples = 1 + 5 / (n - FEWEST);
  const floorM = 1e-6;
  const maxDistance = Math.max(floorM, 3 * 1.4826 * fewSamples * median([...distances]));
  const found = alignPointsRobust(source, target, { random: seededRandom(1), iterations: 300, maxDistance });
  return found && found.inlierCount > n / 2 ? found : undefined;
}

/**
 * One standard deviation of the model's turn for each metre of noise, rad/m: that of least squares about the axis along
 * which the cameras spread most, from which they reach least far. Infinite when they stand on a line.
 */
function turnOfNoise(target: Float64Array, inliers: Uint8Array): number {
  const mean = [0, 0, 0];
  let n = 0;
  for (const inlier of inliers) n += inlier;
  for (let i = 0; i < inliers.length; i++) {
    if (inliers[i]) for (let k = 0; k < 3; k++) mean[k] += target[3 * i + k] / n;
  }
  const covariance = new Float64Array(9);
  for (let i = 0; i < inliers.length; i++) {
    if (!inliers[i]) continue;
    const d = [0, 1, 2].map((k) => target[3 * i + k] - mean[k]);
    for (let k = 0; k < 9; k++) covariance[k] += (d[Math.floor(k / 3)] * d[k % 3]) / n;
  }
  const values = new Float64Array(3);
  symmetricEigen(covariance, 3, values, new Float64Array(9));
  const [width, length] = [Math.sqrt(Math.max(0, values[1])), Math.sqrt(Math.max(0, values[2]))];
  return width > LEAST_WIDTH * length ? 1 / (width * Math.sqrt(n)) : Infinity;
}

/**
 * What the noise of one coordinate may be, with 95 % confidence, given the RMS distance that a fit of seven parameters
 * left: three cameras fit almost anything. χ² quantile by Wilson & Hilferty (1931).
 */
function largestSigma(rms: number, n: number): number {
  const freedom = 3 * n - 7;
  const spread = 2 / (9 * freedom);
  const quantile = freedom * (1 - spread - 1.645 * Math.sqrt(spread)) ** 3;
  return Math.sqrt((rms * rms * n) / quantile);
}

/** To −180…180. */
function turnedDeg(deg: number): number {
  return deg - 360 * Math.round(deg / 360);
}

function median(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
