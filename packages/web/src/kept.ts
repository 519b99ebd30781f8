/** What this browser keeps for the page, where it keeps anything at all: in some private windows every access throws. */

/** `tab`: only until the tab is closed. */
type Where = "browser" | "tab";

// Read at each use: already the name throws where nothing may be kept.
const storage = (where: Where): Storage => (where === "tab" ? sessionStorage : localStorage);

export function kept(key: string, where: Where = "browser"): string | undefined {
  try {
    return storage(where).getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Where nothing is kept, whatever the page itself remembers holds until it is closed. */
export function keep(key: string, value: string, where: Where = "browser"): void {
  try {
    storage(where).setItem(key, value);
  } catch {
    // As above.
  }
}
