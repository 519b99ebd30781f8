/** For tests of pages: a browser, windows of it whose complaints are collected, and what people do in them. */
import { setTimeout } from "node:timers/promises";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import sharp from "sharp";

/** Generous: another test may have the other core, and WebGL runs on the CPU. */
export const PATIENCE_MS = 120_000;

export async function openBrowser(...flags: string[]): Promise<Browser> {
  // Not compiled: it is used by the tools as well.
  const tool: { chromium(): string; CHROMIUM_FLAGS: string[] } = await import(
    new URL("../../../../tools/chromium.mjs", import.meta.url).href
  );
  return chromium.launch({ executablePath: tool.chromium(), args: [...tool.CHROMIUM_FLAGS, ...flags] });
}

type Visit = { page: Page; complaints: string[] };

/** A window of its own, as another person's. @param before is done to it before it goes anywhere */
export async function visit(
  browser: Browser,
  url: string,
  { before, ...options }: BrowserContextOptions & { before?: (page: Page) => Promise<void> } = {},
): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1100, height: 700 },
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // Said by the browser itself of a server that is away or refuses, which is what tests are about.
    const { type, text } = { type: message.type(), text: message.text() };
    if (type === "error" && !/ERR_(CONNECTION|INTERNET)|WebSocket connection|status of 4\d\d/.test(text))
      complaints.push(text);
  });
  await before?.(page);
  await page.goto(url);
  return { page, complaints };
}

export type Dropped = { name: string; type?: string; bytes: Buffer };

/** Drops files as a person would: the page gets a DataTransfer and reads it. */
export async function drop(page: Page, files: readonly Dropped[]): Promise<void> {
  const texts = files.map(({ name, type = "image/jpeg", bytes }) => ({ name, type, base64: bytes.toString("base64") }));
  await page.locator(".veil").waitFor({ state: "attached" });
  await page.evaluate((dropped) => {
    const transfer = new DataTransfer();
    for (const { name, type, base64 } of dropped) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type }));
    }
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, texts);
}

export function chip(page: Page, status: "connected" | "connecting" | "disconnected" | "closed"): Promise<void> {
  return page.locator(`.chip[data-status=${status}]`).waitFor();
}

/** What the canvas says it shows: waits until that fits. */
export function shows(page: Page, what: RegExp): Promise<unknown> {
  return page.waitForFunction(
    (pattern) => new RegExp(pattern).test(document.querySelector(".canvas canvas")?.getAttribute("aria-label") ?? ""),
    what.source,
  );
}

/** Bright pixels of the canvas, away from what lies over it. */
export async function brightPixels(page: Page, clip: { x: number; y: number; width: number; height: number }) {
  await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
  const { data, info } = await sharp(await page.screenshot({ clip }))
    .raw()
    .toBuffer({ resolveWithObject: true });
  let bright = 0;
  for (let i = 0; i < info.width * info.height; i++) {
    const [r, g, b] = [0, 1, 2].map((channel) => data[i * info.channels + channel]!);
    if (Math.max(r!, g!, b!) > 70) bright++;
  }
  return bright;
}

/** Looks again and again; a test that waits in vain ends by its own time limit. */
export async function until(look: () => boolean): Promise<void> {
  while (!look()) await setTimeout(20);
}

/** On a small phone nothing is wider than the window, neither the page nor what scrolls in it. */
export async function widest(page: Page, selectors: string): Promise<number> {
  await page.setViewportSize({ width: 320, height: 568 });
  return page.evaluate((parts) => {
    const widths = [...document.querySelectorAll(parts)].map(({ scrollWidth }) => scrollWidth);
    return Math.max(document.documentElement.scrollWidth, ...widths);
  }, selectors);
}
