/** The server that the page came from, and what this browser knows of it. */
import type { CairnApi } from "@cairn/client";
import type { Reach } from "./use-reach.ts";

export type Site = {
  /** The folder that the page was served from: Cairn may live behind a path. No slash at the end. */
  readonly url: string;
  readonly api: CairnApi;
  readonly token: string | undefined;
  /** Not known yet, or not to be known without a network. */
  readonly reach: Reach | undefined;
};
