/** Whoever sends something into a space need not make it first. */
import type { CairnApi } from "@cairn/client";
import { CairnError, type SpaceSettings } from "@cairn/protocol";

/** What the command line says of a new space; the rest is the server's to say. */
export function settingsOf({ rebuildEvery, preset }: Partial<SpaceSettings>): Partial<SpaceSettings> {
  return { ...(rebuildEvery !== undefined && { rebuildEvery }), ...(preset !== undefined && { preset }) };
}

export async function createUnlessThere(
  api: CairnApi,
  id: string,
  settings: Partial<SpaceSettings>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.createSpace({ id, title: id, settings }, { signal });
  } catch (error) {
    if (!(error instanceof CairnError && error.code === "space.exists")) throw error;
  }
}
