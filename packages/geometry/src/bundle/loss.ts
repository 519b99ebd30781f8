/** Robust losses ρ(s) of a squared residual s (Triggs et al. 2000, §3; weights as in iteratively reweighted LS). */

export type Loss = {
  readonly kind: "squared" | "cauchy" | "soft-l1";
  /** Residuals well above this, in pixels, lose their weight. Unused by `squared`. */
  readonly scalePx: number;
};

/** ρ(s), with ρ(s) ≈ s for small s. */
export function lossValue(kind: Loss["kind"], scaleSquare: number, s: number): number {
  if (kind === "cauchy") return scaleSquare * Math.log1p(s / scaleSquare);
  if (kind === "soft-l1") return 2 * scaleSquare * (Math.sqrt(1 + s / scaleSquare) - 1);
  return s;
}

/** √ρ′(s): what residual and Jacobian are multiplied by. */
export function lossWeight(kind: Loss["kind"], scaleSquare: number, s: number): number {
  if (kind === "cauchy") return Math.sqrt(1 / (1 + s / scaleSquare));
  if (kind === "soft-l1") return Math.sqrt(Math.sqrt(1 / (1 + s / scaleSquare)));
  return 1;
}
