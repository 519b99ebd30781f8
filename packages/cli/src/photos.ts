/** What is known of a photo before it is sent: its fingerprint, and a calibration that holds for all of them. */
import { createHash } from "node:crypto";
import type { ImageDecoder } from "@cairn/images";
import type { Intrinsics } from "@cairn/protocol";
import { InvalidArgumentError } from "commander";

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Parses `fx,fy,cx,cy` of COLMAP's PINHOLE model, pixels. */
export function parseCameraParams(text: string): number[] {
  const params = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (params.length !== 4 || params.some((value) => !Number.isFinite(value)) || params[0]! <= 0 || params[1]! <= 0) {
    throw new InvalidArgumentError("Four numbers, fx,fy,cx,cy in pixels, as in COLMAP's PINHOLE.");
  }
  return params;
}

/** The known calibration as a photo of this size carries it. */
export async function cameraOf(
  params: readonly number[] | undefined,
  decoder: ImageDecoder,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<Intrinsics | undefined> {
  if (!params) return undefined;
  const { width, height } = await decoder.inspect(bytes, signal);
  return { model: "PINHOLE", width, height, params: [...params] };
}
