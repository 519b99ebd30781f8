/** For tests of pages: what stands in the way of those who see little, use no mouse, or bear no motion. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

const AXE = fileURLToPath(import.meta.resolve("axe-core/axe.min.js"));
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const CONTROLS = "a[href], button, input, select, textarea, summary, [tabindex]";

/** Names, roles, contrast and the like, as axe-core judges them. @param what is on the page, for the message */
export async function assertReadable(page: Page, what: string): Promise<void> {
  await still(page);
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(await readFile(AXE, "utf8"));
  const problems = await page.evaluate(async (values) => {
    const { axe } = globalThis as typeof globalThis & { axe: typeof import("axe-core") };
    // What lies over a picture is judged on the ground that its own card gives it.
    for (const each of document.querySelectorAll<HTMLElement>(".canvas")) each.style.visibility = "hidden";
    const { violations } = await axe.run(document, { runOnly: { type: "tag", values } });
    for (const each of document.querySelectorAll<HTMLElement>(".canvas")) each.style.visibility = "";
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, any }) => `${id} at ${target.join(" ")}: ${any.map(({ message }) => message).join("; ")}`),
    );
  }, RULES);
  assert.deepEqual(problems, [], what);
}

/** Tab comes to every control, shows where it is, and leaves the page again. */
export async function assertReachable(page: Page, what: string): Promise<void> {
  const controls = await page.evaluate((selector) => {
    // One of a group stands for all: arrow keys choose among them.
    const reached = (each: Element) =>
      each.matches(":not(:disabled, [tabindex='-1'], [type=radio]:not(:checked))") &&
      !each.closest("[inert]") &&
      each.checkVisibility();
    const open = document.querySelector("dialog:modal") ?? document;
    const found = [...open.querySelectorAll(selector)].filter(reached);
    for (const [i, each] of found.entries()) each.setAttribute("data-tab-stop", String(i));
    (document.activeElement as HTMLElement | null)?.blur();
    return found.map((each) => each.outerHTML.slice(0, 120));
  }, CONTROLS);
  const missing = new Set(controls.keys());
  const unseen: string[] = [];
  for (let presses = 0; missing.size > 0 && presses < 2 * controls.length + 2; presses++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { activeElement } = document;
      if (!activeElement || activeElement === document.body) return undefined;
      const { outlineStyle, outlineWidth } = getComputedStyle(activeElement);
      const stop = Number(activeElement.getAttribute("data-tab-stop") ?? -1);
      return { stop, seen: outlineStyle !== "none" && outlineWidth !== "0px" };
    });
    if (at && !at.seen) unseen.push(controls[at.stop] ?? "what is no control");
    if (at) missing.delete(at.stop);
  }
  assert.deepEqual(
    [...missing].map((i) => controls[i]),
    [],
    `${what}: not reached by Tab`,
  );
  assert.deepEqual(unseen, [], `${what}: nothing shows that the keyboard is there`);
}

/** Nothing moves, and nothing is still on its way in. */
async function still(page: Page): Promise<void> {
  await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== "running"));
}
