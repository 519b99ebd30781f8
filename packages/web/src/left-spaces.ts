/** Spaces that were left while photos were on their way: these go on being sent, and who comes back finds them. */
import type { SpaceConnection } from "@cairn/client";
import type { Presence } from "@cairn/protocol";
import type { Uploads } from "./uploads.ts";

export type Visit = { readonly connection: SpaceConnection; readonly uploads: Uploads; presence?: Presence };

const left = new Map<string, { readonly visit: Visit; readonly settle: () => void }>();

/** @returns the visit that was left, to go on with it */
export function comeBack(key: string): Visit | undefined {
  const known = left.get(key);
  known?.settle();
  return known?.visit.connection.status === "closed" ? undefined : known?.visit;
}

/** Ends it; where something is on its way, not before all is sent. What is refused meanwhile waits to be seen. */
export function leave(key: string, visit: Visit): void {
  const { connection, uploads } = visit;
  const end = () => {
    uploads.stop();
    connection.close();
  };
  if (!uploads.active) {
    end();
    return;
  }
  const warn = (event: BeforeUnloadEvent) => {
    if (uploads.active) event.preventDefault();
  };
  const settle = () => {
    off();
    removeEventListener("beforeunload", warn);
    left.delete(key);
  };
  const off = uploads.subscribe(() => {
    if (uploads.active || uploads.items.length > 0) return;
    settle();
    end();
  });
  addEventListener("beforeunload", warn);
  left.set(key, { visit, settle });
}
