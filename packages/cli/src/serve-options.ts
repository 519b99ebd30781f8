/** What the options of `cairn serve` mean. Apart from the server, which is loaded when it is started. */
import { resolve } from "node:path";
import { checkSpaceId } from "@cairn/protocol";
import { type AxisMap, FACES, type FaceName, readAxes } from "@cairn/server/options";
import { InvalidArgumentError } from "commander";

export type MeshFolder = { readonly name: string; readonly dir: string };
export type Listener = { readonly face: FaceName; readonly port: number };

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** HER-46. @throws {InvalidArgumentError} */
export function parseEngine(text: string): string {
  if (text === "embedded" || /^command:./s.test(text)) return text;
  throw new InvalidArgumentError("An engine is embedded, or command:PROGRAM.");
}

/** KEY-12. @throws {InvalidArgumentError} */
export function parseSpaceId(text: string): string {
  try {
    return checkSpaceId(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** `FACE=PORT`, once more (GEN-3). */
export function parseListener(text: string, before: readonly Listener[] = []): Listener[] {
  const [name, port = ""] = text.split("=");
  const face = FACES.find((each) => each === name);
  if (!face) throw new InvalidArgumentError(`A face is one of ${FACES.join(", ")}.`);
  if (!/^\d+$/.test(port) || Number(port) > 65_535) throw new InvalidArgumentError("A port is from 0 to 65535.");
  return [...before, { face, port: Number(port) }];
}

/** `[NAME=]DIR`, once more (MSH-1). */
export function parseMeshFolder(text: string, before: readonly MeshFolder[] = []): MeshFolder[] {
  const [, name = "current", dir = ""] = /^(?:([^/\\=]+)=)?(.+)$/s.exec(text) ?? [];
  if (dir === "") throw new InvalidArgumentError("A folder is DIR or NAME=DIR.");
  if (name.length > 64) throw new InvalidArgumentError("A collection's name has at most 64 characters.");
  if (before.some((each) => each.name === name)) throw new InvalidArgumentError(`There are two folders ${name}.`);
  return [...before, { name, dir: resolve(dir) }];
}

/** `x,-z,y` (HUB-57). */
export function parseAxes(text: string): AxisMap {
  try {
    return readAxes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
