/** Whether anybody can see the page: what nobody sees is not decoded, and not even sent. */
import { useSyncExternalStore } from "react";

export function useVisible(): boolean {
  return useSyncExternalStore(
    (changed) => {
      document.addEventListener("visibilitychange", changed);
      return () => document.removeEventListener("visibilitychange", changed);
    },
    () => document.visibilityState === "visible",
  );
}
