/** The token that lets this browser in, where the server asks for one: kept here, and sent with whatever is asked. */
import { keep, kept } from "./kept.ts";

const KEY = "cairn-token";

/** That of `#token=T`, as a scanned code has it, else the one from an earlier visit; the address no longer shows it. */
export function takeToken(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return kept(KEY);
  history.replaceState(history.state, "", location.pathname + location.search);
  keepToken(given);
  return given;
}

export const keepToken = (token: string): void => keep(KEY, token);

/** Of what a browser fetches by itself, where no header can be set: pictures and files to save. */
export function withToken(address: string, token: string | undefined): string {
  if (token === undefined) return address;
  return `${address}${address.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
}

let short = false;
const listeners = new Set<() => void>();

/** Something was refused for the token since the page was opened, and nobody has said that this is how it shall be. */
export const tokenFellShort = (): boolean => short;

export function onShortfall(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const noteShortfall = (): void => setShort(true);
export const dismissShortfall = (): void => setShort(false);

function setShort(value: boolean): void {
  short = value;
  for (const listener of listeners) listener();
}
