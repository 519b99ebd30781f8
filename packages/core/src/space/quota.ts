/** How much a space takes. */
import { CairnError, type SpaceState } from "@cairn/protocol";

/** @throws {CairnError} `space.quota` when photos of `sizeBytes` in all would be more than the space's settings allow */
export function checkQuota(state: SpaceState, more: { images: number; sizeBytes: number }): void {
  const { maxImages, maxBytes } = state.settings;
  const images = Object.values(state.images);
  if (images.length + more.images > maxImages) throw new CairnError("space.quota", { maxImages });
  const sizeBytes = images.reduce((sum, image) => sum + image.sizeBytes, more.sizeBytes);
  if (sizeBytes > maxBytes) throw new CairnError("space.quota", { maxBytes });
}
