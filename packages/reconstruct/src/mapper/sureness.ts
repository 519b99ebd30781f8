/**
 * How sure a focal length is. Bundle adjustment tells a standard deviation as if every residual were chance. Part of
 * them is not: lenses bend light in ways that two numbers do not describe, and over flat ground seen from one height
 * such a remainder moves the focal length by a fifth while it is "known" to half a per cent.
 */
import { CALIBRATION_SIZE } from "@cairn/geometry";
import type { SceneCovariance } from "./adjust.ts";
import type { Lens } from "./lens.ts";

/**
 * Share of the residuals' energy that may push the focal length one way. What one more parameter of the lens takes
 * away: 0.002 (castle-P19, Herz-Jesus-P8) to 0.11 (a drone's camera).
 */
export const SYSTEMATIC = 0.02;
/**
 * Share of the residuals' energy that may push the principal point one way. With this, what was found of fountain-P11,
 * Herz-Jesus-P8, castle-P19 and the sample capture, whole and every second photo, is 0.8 standard deviations off (RMS of 16).
 */
export const SYSTEMATIC_OF_PRINCIPAL = 0.002;
/** A focal length surer than this part is measured; one less sure than the other is not, whoever says so. */
const MEASURED = 0.02;
const OPEN = 0.04;
/** EXIF is right to this part; what adjustment finds beyond it must be measured. */
const EXIF_PART = 0.12;

/** `[lenses]` one standard deviation of each focal length, as a part of it; 0 where it was held. */
export function focalSigmas(
  { calibrationSigma, observations }: SceneCovariance,
  calibrations: Float64Array,
): Float64Array {
  return Float64Array.from(observations, (count, lens) => {
    const at = lens * CALIBRATION_SIZE;
    return (calibrationSigma[at] / calibrations[at]) * swelling(SYSTEMATIC, count);
  });
}

/**
 * How many times as far off as an adjustment tells a number may be of which a share of the residuals' energy may push it
 * one way: residuals of which a share s lies along one direction move it by √(s n) of what independent ones do.
 */
export function swelling(share: number, observations: number): number {
  return Math.sqrt(1 + share * 2 * observations);
}

/** @param sigma of `focalSigmas`; 0 or undefined where nothing has been measured yet */
export function isMeasured(sigma: number | undefined): boolean {
  return sigma !== undefined && sigma > 0 && sigma < MEASURED;
}

export function isOpen(sigma: number | undefined): boolean {
  return sigma !== undefined && sigma > OPEN;
}

/**
 * Whether what was told of a lens and what was found of it agree, or the finding is sure enough to stand alone. Where
 * the scene could not have told the difference, agreement says nothing: drones' EXIF is up to 30 % off.
 */
export function bearsOut({ priorPx }: Pick<Lens, "priorPx">, focalPx: number, sigma: number | undefined): boolean {
  const agrees = Math.abs(Math.log(focalPx / priorPx)) < EXIF_PART && !(sigma !== undefined && sigma > EXIF_PART);
  return agrees || isMeasured(sigma);
}
