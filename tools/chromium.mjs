/** Finds a Chromium for the tests of pages: `CHROMIUM_PATH`, the usual paths, a browser of Playwright's. */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];
const PATHS = [
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * What headless Chromium is started with: WebGL on the CPU, pages put together without it, which takes a third less CPU,
 * and nothing that talks to the network on its own.
 */
export const CHROMIUM_FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
  "--disable-gpu-compositing",
];

/** Path of an executable. */
export function chromium() {
  const found = findChromium();
  if (found && existsSync(found)) return found;
  throw new Error(
    found
      ? `CHROMIUM_PATH is ${found}, and there is no such file`
      : "no Chromium found: `npm test` installs one where it may; or install one yourself, or set CHROMIUM_PATH",
  );
}

/** As it is told, or where it usually is. */
export function findChromium() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  const folders = (process.env.PATH ?? "").split(delimiter).concat("/usr/bin", "/usr/local/bin");
  const onPath = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...onPath, ...PATHS, ...playwrightBrowsers()].find((path) => existsSync(path));
}

/** Those that `playwright install` has put into its cache, newest first. */
function playwrightBrowsers() {
  const caches = [
    process.env.PLAYWRIGHT_BROWSERS_PATH,
    join(homedir(), ".cache/ms-playwright"),
    join(homedir(), "Library/Caches/ms-playwright"),
  ].filter((folder) => folder && existsSync(folder));
  return caches.flatMap((cache) =>
    readdirSync(cache)
      .filter((name) => /^chromium(_headless_shell)?-\d+$/.test(name))
      .sort((a, b) => Number(b.split("-")[1]) - Number(a.split("-")[1]))
      .flatMap((name) =>
        ["chrome-linux/chrome", "chrome-linux64/chrome", "chrome-linux/headless_shell"].map((path) =>
          join(cache, name, path),
        ),
      ),
  );
}
