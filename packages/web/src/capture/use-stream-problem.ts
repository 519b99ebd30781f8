/** Why the video that this phone sends becomes no photos, as the server tells it on a channel of the space (KEY-6). */
import type { SpaceConnection } from "@cairn/client";
import type { ErrorBody } from "@cairn/protocol";
import { useEffect, useState } from "react";

export const streamChannel = (source: string): string => `keyframes/${source}`;

/** @param connection one that hears {@link streamChannel} */
export function useStreamProblem(connection: SpaceConnection | undefined, source: string): string | undefined {
  const [problem, setProblem] = useState<string>();
  useEffect(
    () =>
      connection?.onSignal(streamChannel(source), (data) => {
        setProblem((data as { problem?: ErrorBody }).problem?.detail);
      }),
    [connection, source],
  );
  return problem;
}
