/** How much of the CPU the host kept for others, where this machine is a guest: what makes a round's figures worthless. */
import { readFileSync } from "node:fs";

/** Begins to count; what it returns says the share, 0 to 1, since then. 0 where the kernel does not tell (no `/proc/stat`). */
export function stolen() {
  const before = times();
  return () => {
    const now = times();
    return (now.stolen - before.stolen) / Math.max(now.all - before.all, 1);
  };
}

/** Of all cores, in the kernel's ticks: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)). */
function times() {
  try {
    const ticks = readFileSync("/proc/stat", "utf8").split("\n")[0].trim().split(/\s+/).slice(1, 9).map(Number);
    return { stolen: ticks[7], all: ticks.reduce((sum, each) => sum + each, 0) };
  } catch {
    return { stolen: 0, all: 0 };
  }
}
