/** The name under which an image of a session is known. Rules DEP-21, DEP-22. */
import { recognise } from "@cairn/images";

const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  "image/jpeg": [".jpg", ".jpeg"],
  "image/png": [".png"],
  "image/webp": [".webp"],
  "image/heic": [".heic", ".heif"],
  "image/gif": [".gif"],
  "image/tiff": [".tiff", ".tif"],
  "image/bmp": [".bmp"],
};

/** @param names of the session's images @returns base name of letters, digits, `.`, `-`, `_`, with the ending of what the image is; never one that is taken. */
export function fileNameFor(wanted: string, bytes: Uint8Array, names: readonly string[]): string {
  const base = (wanted.split(/[/\\]/).at(-1) ?? "")
    .replace(/[^A-Za-z0-9._-]/g, "_")
    .replace(/^\.+/, "")
    .slice(0, 200);
  const endings = ENDINGS[recognise(bytes) ?? ""] ?? [".png"];
  const dot = base.lastIndexOf(".");
  const stem = dot > 0 ? base.slice(0, dot) : base;
  const given = dot > 0 ? base.slice(dot) : "";
  const isNamed = stem.replace(/_+$/, "") !== "";
  const ending = isNamed && endings.includes(given.toLowerCase()) ? given : endings[0]!;
  const plain = isNamed ? stem : `image_${String(names.length).padStart(4, "0")}`;
  const taken = new Set(names);
  let name = plain + ending;
  for (let k = 1; taken.has(name); k++) name = `${plain}_${k}${ending}`;
  return name;
}
