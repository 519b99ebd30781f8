/** What a sender says about a photo in flat text: a query, the fields of a form, the metadata of a resumable upload. */
import type { IncomingPhoto } from "@cairn/core";
import { CairnError, check, Gravity, Intrinsics } from "@cairn/protocol";
import { parseJson } from "../http/json-body.ts";
import { UploadQuery } from "../http/schemas.ts";

export type PhotoFacts = Omit<IncomingPhoto, "bytes" | "source">;

/** @throws {CairnError} `request.invalid` */
export function photoFacts(fields: UploadQuery): PhotoFacts {
  const { name, key, camera, contributor, capturedNs, gravity, sequence } = check(UploadQuery, fields);
  return {
    name: name ?? "photo",
    key,
    contributor,
    capturedNs,
    sequence,
    ...(camera ? cameraOf(camera) : {}),
    ...(gravity ? { gravity: gravityOf(gravity) } : {}),
  };
}

/** `fx,fy,cx,cy` in pixels of the upright photo, or `fx,fy,cx,cy,width,height` of one of that size, or the JSON of an `Intrinsics`. */
function cameraOf(text: string): Pick<IncomingPhoto, "camera" | "cameraParams" | "cameraSize"> {
  if (text.startsWith("{")) return { camera: check(Intrinsics, parseJson(Buffer.from(text))) };
  const numbers = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [fx, fy, cx, cy, width, height] = numbers as [number, number, number, number, number?, number?];
  if (numbers.length === 4) return { cameraParams: [fx, fy, cx, cy] };
  const isSize = (side?: number): side is number => Number.isInteger(side) && side! > 0;
  if (numbers.length !== 6 || !isSize(width) || !isSize(height)) {
    throw new CairnError("request.invalid", { field: "camera", problem: "expected fx,fy,cx,cy or with ,width,height" });
  }
  return { cameraParams: [fx, fy, cx, cy], cameraSize: { width, height } };
}

/** `x,y,z,sigmaDeg`. */
function gravityOf(text: string): Gravity {
  const [x, y, z, sigmaDeg, ...more] = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (more.length > 0)
    throw new CairnError("request.invalid", { field: "gravity", problem: "expected x,y,z,sigmaDeg" });
  return check(Gravity, { down: [x, y, z], sigmaDeg });
}
