/** Whoever sends something into a space need not make it first. */
import type { CairnApi } from "@cairn/client";
import { CairnError } from "@cairn/protocol";

export async function createUnlessThere(
  api: CairnApi,
  id: string,
  rebuildEvery: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.createSpace(
      { id, title: id, ...(rebuildEvery === undefined ? {} : { settings: { rebuildEvery } }) },
      { signal },
    );
  } catch (error) {
    if (!(error instanceof CairnError && error.code === "space.exists")) throw error;
  }
}
