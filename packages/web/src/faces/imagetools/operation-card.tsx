/** A long operation: how far it is, how to stop it, and what came of it. */
import type { JSX } from "react";
import { Icon } from "../../icons.tsx";
import { count, sizeInWords } from "../../words.ts";
import type { SessionOperation } from "./image-types.ts";

const NAMES: Readonly<Record<string, string>> = {
  bulk_compress: "Compressing",
  bulk_rotate: "Turning",
  bulk_resize: "Resizing",
  bulk_delete: "Deleting",
};
const DONE: Readonly<Record<string, string>> = {
  bulk_compress: "Compressed",
  bulk_rotate: "Turned",
  bulk_resize: "Resized",
  bulk_delete: "Deleted",
};

type OperationCardProps = {
  operation: SessionOperation;
  nameOf(image: string): string;
  onCancel(): void;
  onDismiss(): void;
};

export function OperationCard({ operation, nameOf, onCancel, onDismiss }: OperationCardProps): JSX.Element {
  const { operation_type, status, progress, current, total, message, error, result } = operation;
  const running = status === "pending" || status === "running";
  const title = running ? `${NAMES[operation_type] ?? "Working"} ${count(total, "image")}` : ended(operation);
  return (
    <section className="card running" aria-label={NAMES[operation_type] ?? "Operation"} data-operation={status}>
      <div>
        <strong>{title}</strong>
        <span>{running ? `${current} of ${total}` : (status === "failed" && error) || saving(operation)}</span>
      </div>
      {running ? (
        <button type="button" className="button small" onClick={onCancel}>
          Cancel
        </button>
      ) : (
        <button type="button" className="icon-button" aria-label="Dismiss" onClick={onDismiss}>
          <Icon name="close" />
        </button>
      )}
      {running && <progress aria-label={message || title} value={progress} max={100} />}
      {result && result.failed.length > 0 && (
        <ul className="failed">
          {result.failed.map((each) => (
            <li key={each.image_id} className="advice">
              {nameOf(each.image_id)}: {each.error}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function ended({ operation_type, status, result, total, current }: SessionOperation): string {
  const done = result?.succeeded ?? current;
  if (status === "cancelled") return `Stopped after ${done} of ${total}`;
  if (status === "failed") return "That did not work";
  return `${DONE[operation_type] ?? "Done:"} ${done} of ${count(total, "image")}`;
}

function saving({ operation_type, result }: SessionOperation): string {
  if (operation_type !== "bulk_compress" || !result || result.original_size === 0) return "";
  const saved = Math.round(100 * (1 - result.new_size / result.original_size));
  const sizes = `${sizeInWords(result.original_size)} to ${sizeInWords(result.new_size)}`;
  return saved > 0 ? `${sizes}, ${saved} % saved` : `${sizes}: they were small already`;
}
