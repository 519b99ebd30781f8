/** `cairn rebuild`: everything refined together now, also with another preset. */
import { CairnApi, type SpaceConnection } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { CairnError, type OperationState, type Preset } from "@cairn/protocol";
import { EXIT, interruption, Problem } from "./exit.ts";
import { operationEnd, type Progress } from "./operation-end.ts";
import { ProgressLine } from "./progress.ts";
import { apiOptions, reach } from "./server-url.ts";

type RebuildOptions = {
  readonly server: string;
  readonly preset?: Preset;
  readonly wait?: boolean;
  readonly json?: boolean;
};

export async function rebuild(space: string, { server, preset, wait, json = false }: RebuildOptions): Promise<number> {
  const api = new CairnApi(apiOptions(server));
  const { signal, release } = interruption();
  const progress = new ProgressLine({ quiet: json });
  let connection: SpaceConnection | undefined;
  try {
    if (preset) await reach(server, () => api.configureSpace(space, { preset }, { signal }));
    const { operation } = await reach(server, () => api.startOperation(space, "rebuild", { signal }));
    let ended: OperationState | undefined;
    if (wait) {
      connection = connect({ ...apiOptions(server), space });
      const onProgress = ({ stage, done, total }: Progress) => progress.update(stage, done, total, "photos");
      ended = await operationEnd(connection, operation, onProgress, signal);
      progress.clear();
      if (ended.status === "cancelled") throw new CairnError("operation.cancelled");
      if (ended.status === "failed") throw new Problem(ended.error?.message ?? "the rebuild failed");
    }
    const { generation, cameras, points } = ended?.result ?? {};
    if (json) process.stdout.write(`${JSON.stringify({ space, operation, ...ended?.result })}\n`);
    else if (!ended) process.stdout.write(`${space} is being refined\n`);
    else if (generation === 0)
      process.stdout.write(`${space} has no model yet: no two of the photos could be placed\n`);
    else process.stdout.write(`${space} generation ${generation}: ${cameras} cameras, ${points} points\n`);
    return EXIT.ok;
  } finally {
    connection?.close();
    progress.clear();
    release();
  }
}
