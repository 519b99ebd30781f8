/** Whether a photo can be used at all, measured along with its features. */

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
