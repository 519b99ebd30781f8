/**
 * Labels that the faces write what they made into, as `heritage.thumbnail`: digests, parameters, what a restart goes on
 * with. Faces trust them, so nobody else writes them: they would hand out the blob of another space. Rule BLOB-9.
 */
import { CairnError, type Labels } from "@cairn/protocol";

const OWN = /^(heritage|depth|imagetools)\./;

/** @throws {CairnError} `space.label_reserved` */
export function checkFreeLabels(labels: Labels | undefined): void {
  const own = Object.keys(labels ?? {}).find((name) => OWN.test(name));
  if (own !== undefined) throw new CairnError("space.label_reserved", { label: own });
}
