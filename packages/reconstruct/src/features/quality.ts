/** Whether a photo can be used at all, measured along with its features. */

/**
 * A photo less sharp than this is blurred. Measured on 26 photos of six sets (fountain-P11, Herz-Jesus-P8, castle-P19,
 * sceaux, brighton, nle_tower) at 1600 pixels: as taken 0.61 to 1.07; with a Gaussian blur of sigma 4 px 0.36 to 0.60,
 * of 6 px 0.26 to 0.40, also with noise or JPEG on top; of 10 px 0.15 to 0.19.
 */
export const BLURRED_SHARPNESS = 0.45;

/**
 * A photo darker than this is dark. Same photos: as taken 0.36 to 0.64; with a twentieth of the light (linear) 0.07 to
 * 0.15, with a twentieth of the stored values 0.02 to 0.03.
 */
export const DARK_BRIGHTNESS = 0.16;

/** One this bright is burnt out. As taken, the same photos reach 0.68; with six times the light a drawn one has 0.91. */
export const OVEREXPOSED_BRIGHTNESS = 0.88;

/**
 * Fine detail against coarse: the square root of the energy of the difference of Gaussians at about 4 pixels over
 * that at about 16. Photographs have about the same energy at all scales, so the number barely depends on the scene;
 * blur takes the fine part away. The finest octave is left out because sensor noise and JPEG blocks live there.
 *
 * @param energies mean square of each octave's first difference, finest first
 */
export function sharpnessOf(energies: readonly number[]): number {
  const fine = energies[1] ?? energies[0] ?? 0;
  const coarse = energies[Math.min(3, energies.length - 1)] ?? 0;
  return coarse > 0 ? Math.sqrt(fine / coarse) : 0;
}
