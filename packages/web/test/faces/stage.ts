/** For tests of pages: one server with data of its own and one browser, for all tests of a file. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { freePort } from "@cairn/bus/test/ports";
import { type RunningServer, type ServerOptions, startServer } from "@cairn/server";
import type { Browser } from "playwright-core";
import { openBrowser } from "./browser.ts";

type StageOptions = Partial<Omit<ServerOptions, "port" | "dataDir">>;

export type Stage = {
  readonly browser: Browser;
  readonly server: RunningServer;
  /** The server comes back at its port, with its data. */
  restart(): Promise<void>;
};

/** @param given of the server, or what makes that in the folder of the test; no engine where none is named */
export function openStage(given: StageOptions | ((folder: string) => Promise<StageOptions>) = {}): Stage {
  let folder: string | undefined;
  let options: StageOptions;
  let server: RunningServer;
  let browser: Browser;

  const serve = async (port: number) => {
    const common = { dataDir: join(folder ?? "", "data"), logLevel: "error", openEngine: null } as const;
    server = await startServer({ ...common, ...options, port });
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cairn-stage-"));
    options = typeof given === "function" ? await given(folder) : given;
    await serve(await freePort());
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  return {
    get browser() {
      return browser;
    },
    get server() {
      return server;
    },
    restart: () => serve(server.port),
  };
}
