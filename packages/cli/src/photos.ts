/** What is known of a photo before it is sent: its fingerprint, and what the options say of the camera. */
import { createHash } from "node:crypto";
import type { Picture } from "@cairn/geometry";
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

/** Parses `WIDTHxHEIGHT`, pixels. */
export function parseCameraSize(text: string): Picture {
  const [, width, height] = (/^(\d{1,6})[x×](\d{1,6})$/.exec(text) ?? []).map(Number);
  if (!width || !height) throw new InvalidArgumentError("Two whole numbers, WIDTHxHEIGHT in pixels.");
  return { width, height };
}
