/** What the server works at in a space: what it is, how far, for how long still, and the way to stop it. */
import type { SpaceConnection } from "@cairn/client";
import type { OperationState } from "@cairn/protocol";
import { type JSX, useState } from "react";
import type { Say } from "./toast-list.tsx";
import { duration, inWords } from "./words.ts";

const OPERATIONS: Readonly<Record<string, string>> = {
  reconstruct: "Building the model",
  rebuild: "Refining the model",
  import: "Adding a point cloud",
};

/** Those of the embedded engine, of imports and of exports; another engine's are shown as it calls them. */
const STAGES: Readonly<Record<string, string>> = {
  resume: "Going on from what was kept",
  features: "Finding marks in photos",
  matches: "Comparing photos",
  placing: "Placing photos",
  refine: "Adjusting all cameras",
  depth: "Measuring depth",
  fusion: "Joining the points",
  survey: "Looking at the points",
  import: "Reading points",
  compact: "Arranging points",
  reading: "Reading points",
  orienting: "Finding which side is out",
  measuring: "Measuring",
  meshing: "Laying the surface",
  simplifying: "Leaving out what is flat",
  writing: "Writing the file",
};

type RunningProps = { operation: OperationState; connection: SpaceConnection; say: Say };

export function Running({ operation, connection, say }: RunningProps): JSX.Element {
  const { progress } = operation;
  const [cancelling, setCancelling] = useState(false);
  const cancel = () => {
    setCancelling(true);
    connection.cancelOperation(operation.operation).catch((error: unknown) => {
      setCancelling(false);
      say("Not cancelled", inWords(error), "bad");
    });
  };
  const name = nameOf(operation);
  return (
    <section className="card running" aria-label={name}>
      <div>
        <strong>{name}</strong>
        <span>{cancelling ? "Cancelling…" : stepOf(operation)}</span>
      </div>
      <button type="button" className="button small" disabled={cancelling} onClick={cancel}>
        Cancel
      </button>
      <progress
        aria-label={name}
        {...(progress && progress.total > 0 ? { value: progress.done, max: progress.total } : {})}
      />
    </section>
  );
}

function nameOf({ kind }: OperationState): string {
  if (kind.startsWith("export:mesh-")) return "Making a mesh";
  return OPERATIONS[kind] ?? (kind.startsWith("export:") ? "Making a file" : kind);
}

function stepOf({ status, progress }: OperationState): string {
  if (status === "queued") return "Waiting to start";
  if (!progress) return "";
  const { message, stage, etaMs } = progress;
  const left = etaMs && `${duration(etaMs[0])} to ${duration(etaMs[1])} left`;
  return [message ?? STAGES[stage] ?? stage, left].filter(Boolean).join(" · ");
}
