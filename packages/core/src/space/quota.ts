/** How much a space takes. */
import { CairnError, type SpaceState } from "@cairn/protocol";

/** @throws {CairnError} `space.quota` when that many more would be more than the space's settings allow */
export function checkQuota(state: SpaceState, more: { images: number; sizeBytes: number }): void {
  const { maxImages, maxBytes } = state.settings;
  if (Object.keys(state.images).length + more.images > maxImages) throw new CairnError("space.quota", { maxImages });
  if (more.sizeBytes > freeBytes(state)) throw new CairnError("space.quota", { maxBytes });
}

/** Bytes that the space still takes: photos count, what was imported, what motion sensors felt, and recordings. */
export function freeBytes({ settings, images, layers, motion = [], recordings = {} }: SpaceState): number {
  let used = motion.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const { ended } of Object.values(recordings)) for (const file of ended?.files ?? []) used += file.sizeBytes;
  for (const { sizeBytes, versions = [] } of Object.values(images)) {
    used += versions.reduce((sum, version) => sum + version.sizeBytes, sizeBytes);
  }
  for (const { kind, packs, points, index } of Object.values(layers)) {
    if (kind !== "import") continue;
    used += index?.sizeBytes ?? 0;
    // Compacted blobs are not listed by size: what is kept of a point is five bytes at most.
    used += packs.reduce((sum, pack) => sum + pack.sizeBytes, 0) || points * 5;
  }
  return Math.max(0, settings.maxBytes - used);
}
