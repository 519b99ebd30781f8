/** The name of this phone's stream: the same over reloads of one window, another in every other. */
import { randomName } from "./random-name.ts";

const KEY = "cairn-source";

export function streamSource(): string {
  try {
    const kept = sessionStorage.getItem(KEY);
    if (kept) return kept;
    const made = `phone-${randomName(4)}`;
    sessionStorage.setItem(KEY, made);
    return made;
  } catch {
    return `phone-${randomName(4)}`; // a browser that keeps nothing
  }
}
