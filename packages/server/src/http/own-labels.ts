/**
 * Labels by which a face knows its spaces, as `meshes`, and that it writes what it made into, as `heritage.thumbnail`.
 * Faces trust them, so nobody else writes them: they would hand out the blob of another space, or give a space away as
 * one that the server made. Rule BLOB-9.
 */
import { CairnError, type Labels } from "@cairn/protocol";

const OWN = /^(?:(?:heritage|depth|imagetools|meshes|hub)(?:\..*)?|mesh_folders)$/s;

/** @throws {CairnError} `space.label_reserved` */
export function checkFreeLabels(labels: Labels | undefined): void {
  const own = Object.keys(labels ?? {}).find((name) => OWN.test(name));
  if (own !== undefined) throw new CairnError("space.label_reserved", { label: own });
}
