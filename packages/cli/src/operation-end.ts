/** Waits for an operation of a space to end. */
import type { SpaceConnection } from "@cairn/client";
import type { Id, OperationState } from "@cairn/protocol";

export type Progress = NonNullable<OperationState["progress"]>;

/** As the log says it; the last fifty that ended are kept. */
export async function operationEnd(
  connection: SpaceConnection,
  id: Id,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<OperationState> {
  let last: OperationState | undefined;
  await connection.waitFor(
    ({ operations }) => {
      last = operations[id];
      if (last?.progress && last.progress.total > 0) onProgress(last.progress);
      return last?.endedNs !== undefined;
    },
    { signal },
  );
  return last!;
}
