/** The calibration that `--camera-params` says, as each photo carries it. */
import { type Picture, pinholeForPhoto } from "@cairn/geometry";
import type { ImageDecoder } from "@cairn/images";
import { CairnError, type Intrinsics } from "@cairn/protocol";
import { EXIT, Problem } from "./exit.ts";
import type { PhotoFile } from "./named-files.ts";

export type CameraOptions = { readonly cameraParams?: number[]; readonly cameraSize?: Picture };

/** A principal point outside this part of a side is of a picture of another size. */
const MIDDLE = { least: 0.25, most: 0.75 };

export class KnownCamera {
  readonly #params: readonly number[];
  #of: Picture | undefined;
  /** Photos of another shape, which it says nothing of. */
  readonly unlike: string[] = [];

  private constructor(params: readonly number[], of: Picture | undefined) {
    this.#params = params;
    this.#of = of;
  }

  /**
   * Without `--camera-size` it is for the size of the first photo that can be read, and for the way its camera was held;
   * with it for that way still if that photo has the size's shape.
   *
   * @returns undefined without a calibration
   * @throws {Problem} for a size without a calibration, or one that the calibration cannot be for
   */
  static async open(
    { cameraParams, cameraSize }: CameraOptions,
    photos: readonly PhotoFile[],
    decoder: Pick<ImageDecoder, "inspect">,
    signal: AbortSignal,
  ): Promise<KnownCamera | undefined> {
    if (!cameraParams) {
      if (cameraSize)
        throw new Problem("--camera-size is the size that --camera-params are for; give both", EXIT.usage);
      return undefined;
    }
    const known = new KnownCamera(cameraParams, cameraSize);
    for (const photo of photos) {
      try {
        known.#learn(await decoder.inspect(await photo.read(), signal), photo.name);
        break;
      } catch (error) {
        if (!(error instanceof CairnError && error.code.startsWith("image."))) throw error;
      }
    }
    return known;
  }

  /** As a photo of this size carries it. */
  cameraOf(name: string, photo: Picture): Intrinsics | undefined {
    const params = pinholeForPhoto(this.#params, this.#of ?? this.#learn(photo, name), photo);
    if (!params) this.unlike.push(name);
    return params && { model: "PINHOLE", width: photo.width, height: photo.height, params };
  }

  /** One line about the photos that it does not fit, if any. */
  get note(): string | undefined {
    const { length } = this.unlike;
    if (!this.#of || length === 0) return undefined;
    const which = length === 1 ? this.unlike[0] : `${length} photos, ${this.unlike[0]} the first`;
    return `no calibration for ${which}: not of the shape of ${sizeText(this.#of)}; the focal length is found instead`;
  }

  #learn({ width, height, orientation = 1 }: Picture, name: string): Picture {
    const of = this.#of;
    if (of) {
      // A size that was said is upright in a way that only a photo of it can tell.
      const held = (width - height) * (of.width - of.height) > 0 ? orientation : 1;
      this.#of = { ...of, orientation: held };
      return this.#of;
    }
    const [, , cx, cy] = this.#params as [number, number, number, number];
    for (const part of [cx / width, cy / height]) {
      if (part > MIDDLE.least && part < MIDDLE.most) continue;
      const size = sizeText({ width, height });
      throw new Problem(
        `--camera-params are not for ${size}, the size of ${name}: say which it is, --camera-size WIDTHxHEIGHT`,
        EXIT.usage,
      );
    }
    this.#of = { width, height, orientation };
    return this.#of;
  }
}

function sizeText({ width, height }: Picture): string {
  return `${width} × ${height}`;
}
