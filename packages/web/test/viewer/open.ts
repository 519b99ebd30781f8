/** Opens the harness in a real browser: bundles it, serves it and the blobs of a test space. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestSpace } from "@cairn/viewer/test";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

/** For a state that must come: a busy machine may need long for it, and a good one waits no longer than it has to. */
const PATIENCE_MS = 120_000;

export type OpenHarness = {
  browser: Browser;
  /**
   * A window of its own with the viewer in it.
   * @param query `points=100000` @param plain without float targets, multi-draw and workers
   */
  visit(
    space: TestSpace,
    options?: { query?: string; width?: number; height?: number; motion?: boolean; plain?: boolean },
  ): Promise<Page>;
  close(): Promise<void>;
};

export async function openHarness(flags: readonly string[] = []): Promise<OpenHarness> {
  const tool: { chromium(): string; CHROMIUM_FLAGS: string[] } = await import(
    new URL("../../../../tools/chromium.mjs", import.meta.url).href
  );
  const outDir = await mkdtemp(join(tmpdir(), "cairn-viewer-"));
  // From the sources, wherever this file was compiled to.
  const root = fileURLToPath(new URL("../../test/viewer/", import.meta.url));
  await build({
    root,
    configFile: false,
    logLevel: "error",
    base: "./",
    worker: { format: "es" },
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      minify: false,
      rolldownOptions: { input: join(root, "harness.html") },
    },
  });
  let blobs = new Map<string, Uint8Array>();
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const blob = pathname.startsWith("/blobs/") ? blobs.get(pathname.slice(7)) : undefined;
    const [start, end] = [Number(searchParams.get("start")), Number(searchParams.get("end"))];
    const body = blob?.subarray(start, end) ?? (await readFile(join(outDir, pathname)).catch(() => undefined));
    response.writeHead(body ? 200 : 404, { "content-type": TYPES[extname(pathname)] ?? "application/octet-stream" });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await chromium.launch({
    executablePath: tool.chromium(),
    args: [
      ...(flags.length > 0 ? flags : tool.CHROMIUM_FLAGS),
      "--js-flags=--expose-gc",
      "--enable-precise-memory-info",
    ],
  });
  return {
    browser,
    async visit(space, { query = "", width = 480, height = 360, motion = false, plain = false } = {}) {
      blobs = space.blobs;
      const context = await browser.newContext({
        viewport: { width, height },
        reducedMotion: motion ? "no-preference" : "reduce",
      });
      if (plain) await context.addInitScript(takeAway);
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      await slowDown(page);
      page.on("pageerror", (error) => console.error(error));
      await page.goto(`http://127.0.0.1:${port}/harness.html?${query}`);
      await page.waitForFunction(() => "harness" in window);
      return page;
    },
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** `CAIRN_TEST_SLOWDOWN=6`: scripts of the page run six times slower, as they would on a small and busy machine. */
async function slowDown(page: Page): Promise<void> {
  const rate = Number(process.env.CAIRN_TEST_SLOWDOWN ?? 1);
  if (rate <= 1) return;
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
}

/** In the page, before anything else runs. */
function takeAway(): void {
  const real: (name: string) => unknown = WebGL2RenderingContext.prototype.getExtension;
  const gone = ["EXT_color_buffer_float", "WEBGL_multi_draw"];
  Object.defineProperty(WebGL2RenderingContext.prototype, "getExtension", {
    value(name: string) {
      return gone.includes(name) ? null : real.call(this, name);
    },
  });
  Reflect.deleteProperty(window, "Worker");
}
