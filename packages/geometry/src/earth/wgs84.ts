/** The earth as WGS 84 sees it: latitude and longitude to metres from its centre, and the level frame of a place. */
import type { Similarity3 } from "../alignment/similarity.ts";

/** Metres. Source: NIMA TR8350.2, Department of Defense World Geodetic System 1984, table 3.1. */
const SEMI_MAJOR_M = 6_378_137;
const FLATTENING = 1 / 298.257223563;
const ECCENTRICITY_SQUARE = FLATTENING * (2 - FLATTENING);

/**
 * Earth-centred, earth-fixed metres (x to 0° 0°, y to 0° 90° E, z to the north pole).
 * Source: Hofmann-Wellenhof, Lichtenegger, Collins, GPS: Theory and Practice (5th ed.), §10.2.1, eq. 10.9.
 *
 * @param altitudeM above the ellipsoid
 */
export function ecefFromGeodetic(latitudeDeg: number, longitudeDeg: number, altitudeM: number): Float64Array {
  const latitude = (latitudeDeg * Math.PI) / 180;
  const longitude = (longitudeDeg * Math.PI) / 180;
  const sine = Math.sin(latitude);
  const normalM = SEMI_MAJOR_M / Math.sqrt(1 - ECCENTRICITY_SQUARE * sine * sine);
  const fromAxisM = (normalM + altitudeM) * Math.cos(latitude);
  return Float64Array.of(
    fromAxisM * Math.cos(longitude),
    fromAxisM * Math.sin(longitude),
    (normalM * (1 - ECCENTRICITY_SQUARE) + altitudeM) * sine,
  );
}

/** The east-north-up frame of a place, as a motion into earth-centred metres; its scale is 1. */
export function ecefFromEnu(latitudeDeg: number, longitudeDeg: number, altitudeM: number): Similarity3 {
  const [sinLat, cosLat] = sineAndCosine(latitudeDeg);
  const [sinLon, cosLon] = sineAndCosine(longitudeDeg);
  // Columns: east, north, up.
  // biome-ignore format: a matrix
  const rotation = Float64Array.of(
    -sinLon, -sinLat * cosLon, cosLat * cosLon,
     cosLon, -sinLat * sinLon, cosLat * sinLon,
     0,       cosLat,          sinLat,
  );
  return { scale: 1, rotation, translation: ecefFromGeodetic(latitudeDeg, longitudeDeg, altitudeM) };
}

function sineAndCosine(deg: number): [number, number] {
  const angle = (deg * Math.PI) / 180;
  return [Math.sin(angle), Math.cos(angle)];
}
