/** `cairn rollback`: an earlier generation is shown again, or those that are kept are listed. */
import { CairnApi } from "@cairn/client";
import { nsToMs } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { apiOptions, reach } from "./server-url.ts";

type RollbackOptions = { server: string; to?: number; list?: boolean; json?: boolean };

export async function rollback(space: string, { server, to, list, json }: RollbackOptions): Promise<number> {
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  try {
    const kept = await reach(server, () => api.generations(space, { signal }));
    if (list) {
      const lines = kept.generations.map((each) => `${each.generation === kept.shown ? "*" : " "} ${describe(each)}`);
      process.stdout.write(json ? `${JSON.stringify(kept)}\n` : lines.map((line) => `${line}\n`).join(""));
      return EXIT.ok;
    }
    const wanted = to ?? generationBefore(kept);
    if (wanted === undefined) throw new Problem(`${space} has no earlier generation to go back to`);
    const { generation } = await api.restoreGeneration(space, wanted, { signal });
    const { generations } = await api.generations(space, { signal });
    const now = generations.find((each) => each.generation === generation);
    if (json) process.stdout.write(`${JSON.stringify({ space, restored: wanted, generation })}\n`);
    else process.stdout.write(`${space} shows generation ${wanted} again${now ? `: ${describe(now)}` : ""}\n`);
    return EXIT.ok;
  } finally {
    release();
  }
}

type Kept = Awaited<ReturnType<CairnApi["generations"]>>;

/** Said again it goes one further back: what a restored generation restores counts as where we are. */
function generationBefore({ shown, generations }: Pick<Kept, "shown" | "generations">): number | undefined {
  const own = generations.find((each) => each.generation === shown)?.restores ?? shown;
  return generations.findLast(({ generation, restores }) => generation < own && restores === undefined)?.generation;
}

function describe({ generation, timeNs, cameras, points, residual, restores }: Kept["generations"][number]): string {
  const facts = [
    new Date(nsToMs(timeNs)).toISOString().slice(0, 19).replace("T", " "),
    `${cameras} cameras`,
    `${points} points`,
    ...(residual === undefined ? [] : [`residual ${(100 * residual).toFixed(2)} % of the scene`]),
    ...(restores === undefined ? [] : [`goes back to ${restores}`]),
  ];
  return `generation ${generation}  ${facts.join(", ")}`;
}
