/**
 * What a lens is held to, and never asked: a calibration that somebody gave, and that pixels are square. Where either is
 * wrong the model bends, and all photos still find a place (measured: Herz-Jesus-P8 with a focal length that was given 10 %
 * long 40 mm off for 4, castle-P19 squeezed by 5 % one way 74 mm for 26). So all is adjusted once more, on
 * a copy, with that free. What was held stays held, somebody's word; but it is said.
 *
 * A lens is denied where what it gains is more than chance and what the model lacks could give (F-test, see
 * `off-centre.ts`), and a number moves by more than cameras' numbers do, well above its own deviation.
 */
import { CALIBRATION_SIZE, type CalibrationParameter } from "@cairn/geometry";
import { adjust, type SceneCovariance } from "./adjust.ts";
import type { Lens } from "./lens.ts";
import { lossOfScene } from "./noise.ts";
import { misfits } from "./off-centre.ts";
import type { Scene } from "./scene.ts";
import { SYSTEMATIC, SYSTEMATIC_OF_PRINCIPAL, swelling } from "./sureness.ts";

/** What the photos deny: the calibration that was given, or that one pixel is as wide as it is high. */
export type Denial = {
  readonly of: "calibration" | "square";
  /** Focal length that the photos tell, decoded pixels; left out where it may be what it is held to. */
  readonly toldPx?: number;
};
/** By lens. */
export type Denials = ReadonlyMap<number, Denial>;

/** What is set free; k2 never is. A principal point that the scene does not tell stays where it is. */
const WITH_PRINCIPAL: readonly CalibrationParameter[] = ["fx", "fy", "cx", "cy", "k1"];
const WITHOUT: readonly CalibrationParameter[] = ["fx", "fy", "k1"];
/** With fewer of its photos a lens is not asked. */
const ASKED_VIEWS = 3;
const ITERATIONS = 20;
/**
 * The part of the residuals that must go. Measured: up to 0.006 with true calibrations and true pixels (four sets), 0.06 on one
 * of few points, where no number moved; 0.06 to 0.12 with pixels squeezed by 5 %, 0.4 to 2 with a focal length 10 or 20 % off
 * or a principal point 100 of 1600 px off. With pixels squeezed by 2 % (10 mm for 5) 0.02: not seen.
 */
const LEAST_GAIN = 0.02;
/** A given focal length may be so far off, as a part: a photo of another day, another focus. */
const FOCAL_PART = 0.03;
/** A given principal point, of the long side. */
const PRINCIPAL_PART = 0.015;
/** Width of a pixel over its height; of the surveyed cameras found 0.1 to 0.3 % off. */
const SQUARE_PART = 0.015;
/** So many standard deviations, what leans one way among them. */
const SIGMAS = 3;

/** @returns the lenses that the photos of a refined scene deny; @throws what `stop` throws, the scene as it was */
export function deniedLenses(scene: Scene, lenses: readonly Lens[], stop: () => void): Denials {
  const asked = [...lenses.keys()].filter((index) => scene.posedWith(index) >= ASKED_VIEWS);
  const denials = new Map<number, Denial>();
  if (asked.length === 0) return denials;
  const lossPx = lossOfScene(scene);
  const free = scene.clone();
  const setFree = new Map(
    asked.map((index) => {
      const [, , cx, cy] = scene.calibration(index);
      return [index, lenses[index].source === "given" || cx !== 0 || cy !== 0 ? WITH_PRINCIPAL : WITHOUT];
    }),
  );
  const options = { iterations: ITERATIONS, lenses, setFree, lossPx, fine: true, stop };
  adjust(free, options);
  const gaining = asked.filter((index) => {
    const [held, without] = [scene, free].map((each) => sum(misfits(each, index, lossPx).values()));
    return held - without > LEAST_GAIN * without;
  });
  // How sure the numbers are costs about as much again, and is seldom asked.
  const sureness = gaining.length > 0 && adjust(free, { ...options, covariance: true });
  if (!sureness) return denials;
  for (const index of gaining) {
    const denial = denialOf(scene, free, index, lenses[index], sureness);
    if (denial) denials.set(index, denial);
  }
  return denials;
}

/** Whether one of a lens's numbers has moved farther than it may. */
function denialOf(
  scene: Scene,
  free: Scene,
  index: number,
  { source, longSidePx }: Lens,
  { calibrationSigma, observations }: Pick<SceneCovariance, "calibrationSigma" | "observations">,
): Denial | undefined {
  const [fx, fy, cx, cy] = scene.calibration(index);
  const [freeFx, freeFy, freeCx, freeCy] = free.calibration(index);
  const at = index * CALIBRATION_SIZE;
  const [sigmaFx, sigmaFy, sigmaCx, sigmaCy] = calibrationSigma.subarray(at, at + 4);
  const count = observations[index];
  const [sigmaX, sigmaY] = [sigmaFx / freeFx, sigmaFy / freeFy];
  const [swollen, swollenLittle] = [SYSTEMATIC, SYSTEMATIC_OF_PRINCIPAL].map((share) => swelling(share, count));
  // The two focal lengths follow one another, which makes their ratio surer than each; and seldom does depth make up for it.
  const ratio = Math.log(freeFx / freeFy) - Math.log(fx / fy);
  const isSqueezed = isBeyond(ratio, SQUARE_PART, swollenLittle * Math.hypot(sigmaX, sigmaY));
  if (source !== "given") return isSqueezed ? { of: "square" } : undefined;
  const isElsewhere = [
    [freeCx - cx, sigmaCx],
    [freeCy - cy, sigmaCy],
  ].some(([offPx, sigmaPx]) => {
    return isBeyond(offPx, PRINCIPAL_PART * longSidePx, swollenLittle * sigmaPx);
  });
  // Photos from one height tell the one much better than the other.
  const isAnother =
    isBeyond(Math.log(freeFx / fx), FOCAL_PART, swollen * sigmaX) ||
    isBeyond(Math.log(freeFy / fy), FOCAL_PART, swollen * sigmaY);
  if (isAnother) return { of: "calibration", toldPx: (freeFx + freeFy) / 2 };
  return isSqueezed || isElsewhere ? { of: "calibration" } : undefined;
}

const isBeyond = (off: number, most: number, sigma: number) => Math.abs(off) > Math.max(most, SIGMAS * sigma);

function sum(values: Iterable<number>): number {
  let all = 0;
  for (const each of values) all += each;
  return all;
}
