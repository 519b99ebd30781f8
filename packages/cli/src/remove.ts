/** `cairn remove`: an imported cloud leaves its space. */
import { CairnApi } from "@cairn/client";
import { EXIT, interruption } from "./exit.ts";
import { apiOptions, reach } from "./server-url.ts";

/** @param layer as `cairn status` names it */
export async function removeLayer(space: string, layer: number, { server }: { server: string }): Promise<number> {
  const { signal, release } = interruption();
  try {
    await reach(server, () => new CairnApi(apiOptions(server)).removeLayer(space, layer, { signal }));
    process.stdout.write(`layer ${layer} is gone from ${space}\n`);
    return EXIT.ok;
  } finally {
    release();
  }
}
