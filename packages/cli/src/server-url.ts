/** The server a command talks to, and what to say when nobody answers there. */
import { InvalidArgumentError } from "commander";
import { Problem } from "./exit.ts";

export const DEFAULT_SERVER = "http://127.0.0.1:8000";

export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw new InvalidArgumentError("An address like http://127.0.0.1:8000.");
  return text;
}

/** The first call to a server: a dead address becomes advice at once rather than endless trying. */
export async function reach<T>(server: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Problem(
      `no server answers at ${server}; start one with \`cairn serve\`, or name it with --server`,
      1,
      error,
    );
  }
}

/** `CAIRN_TOKEN` is how a token reaches a command: on the command line every user of the machine could read it. */
export function apiOptions(url: string): { url: string; token?: string } {
  const token = process.env.CAIRN_TOKEN;
  return { url, ...(token ? { token } : {}) };
}
