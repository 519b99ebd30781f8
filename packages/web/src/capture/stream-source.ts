/** The name of this phone's stream: the same over reloads of one window, another in every other. */
import { keep, kept } from "../kept.ts";
import { randomName } from "./random-name.ts";

const KEY = "cairn-source";

export function streamSource(): string {
  const source = kept(KEY, "tab") ?? `phone-${randomName(4)}`;
  keep(KEY, source, "tab");
  return source;
}
