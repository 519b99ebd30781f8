/** What a server promises its viewers, each as one check against the real thing. Rules: docs/spec/live.md. */
import type { CairnApi } from "@cairn/client";
import type { Id } from "@cairn/protocol";
import { terrainPly } from "./cloud.ts";
import { Watcher } from "./watcher.ts";

export type Finding = { readonly promise: string; readonly kept: boolean; readonly measured: string };

export type Stage = {
  readonly api: CairnApi;
  readonly space: string;
  readonly token: string | undefined;
  /** Points of each cloud that is put into the space. */
  readonly points: number;
  readonly signal: AbortSignal;
  /** Told what is being done. */
  readonly onStep: (text: string) => void;
};

/** Most that a server may hold for one socket (GEN-22). */
const HELD_BYTES = 8 * 2 ** 20;
/** A client may fetch so much more than what it lacks when it comes back. */
const RESUME_FACTOR = 1.05;
const RENAMES = 40;
const COME_MS = 60_000;

/** Runs all checks, in an order in which each finds what the one before left. */
export async function runChecks(stage: Stage): Promise<Finding[]> {
  const { api, space, token, onStep } = stage;
  const live = new Watcher(api, space, token);
  const away = new Watcher(api, space, token);
  const late = new Watcher(api, space, token);
  const slow = new Watcher(api, space, token);
  const findings: Finding[] = [];
  try {
    onStep("points come while two viewers watch");
    await live.open({ name: "verify live" });
    await away.open({ name: "verify away" });
    await addCloud(stage, 1, [live, away]);
    await settle(live, away);
    await away.points();

    onStep("one viewer is cut off, and points go on coming");
    away.drop();
    const before = { pushed: away.pushedBytes, pulled: away.pulledBytes, needed: (await away.points()).neededBytes };
    await rename(stage, RENAMES);
    await addCloud(stage, 2, [live]);

    onStep("it comes back");
    await away.open({ name: "verify away" });
    findings.push(await resumes(live, away, before));

    onStep("another joins late");
    await late.open({ name: "verify late" });
    findings.push(await joinsLate(live, late));

    onStep("one stops reading");
    findings.push(await boundsTheSlow(stage, live, slow));

    const all = [live, away, late, slow];
    const gaps = all.reduce((sum, { gaps: each }) => sum + each, 0);
    const head = await api.space(space);
    await Promise.all(all.map((each) => each.until(() => each.seq >= head.head, COME_MS, "the last event")));
    const hashes = new Set(all.map(({ stateHash }) => stateHash));
    findings.push({
      promise: "no silent gap: every viewer ends with the same state",
      kept: gaps === 0 && hashes.size === 1,
      measured: `${head.head} events, ${all.length} viewers, ${gaps} skipped, ${hashes.size} different states`,
    });
    return findings;
  } finally {
    for (const each of [live, away, late, slow]) each.drop();
  }
}

async function resumes(
  live: Watcher,
  away: Watcher,
  before: { pushed: number; pulled: number; needed: number },
): Promise<Finding> {
  await away.until(() => away.seq >= live.seq, COME_MS, "what was missed");
  await away.pushesSettled();
  const [here, there] = [await live.points(), await away.points()];
  const missing = there.neededBytes - before.needed;
  const travelled = away.pushedBytes - before.pushed + (away.pulledBytes - before.pulled);
  return {
    promise: "resume sends only what is missing",
    kept: here.hash === there.hash && travelled <= missing * RESUME_FACTOR && away.snapshots <= 1,
    measured: `${kB(travelled)} for ${kB(missing)} missing (${(travelled / missing).toFixed(3)} ×), points ${same(here, there)}`,
  };
}

async function joinsLate(live: Watcher, late: Watcher): Promise<Finding> {
  const startedMs = performance.now();
  await late.until(() => late.seq >= live.seq, COME_MS, "the state");
  const stateMs = performance.now() - startedMs;
  await late.until(() => late.pushedBytes > 0, COME_MS, "the first points");
  await late.pushesSettled();
  const [here, there] = [await live.points(), await late.points()];
  const states = live.seq === late.seq && live.stateHash === late.stateHash;
  return {
    promise: "late join equals live",
    kept: states && here.hash === there.hash && here.count === there.count,
    measured: `state in ${stateMs.toFixed(0)} ms, ${states ? "equal" : "different"}; ${there.count} points ${same(here, there)}`,
  };
}

async function boundsTheSlow(stage: Stage, live: Watcher, slow: Watcher): Promise<Finding> {
  const calm = await factTimes(stage, live);
  await slow.open({ name: "verify slow" });
  slow.stall();
  const busy = await factTimes(stage, live);
  await addCloud(stage, 3, [live]);
  const held = await heldBytes(stage);
  slow.wake();
  await slow.until(() => slow.seq >= live.seq || slow.closed !== undefined, COME_MS, "the slow viewer's end");
  if (slow.closed) await slow.open({ name: "verify slow" });
  await slow.until(() => slow.seq >= live.seq, COME_MS, "what the slow viewer missed");
  const equal = slow.stateHash === live.stateHash;
  const bounded = held === undefined || held <= HELD_BYTES;
  return {
    promise: "a slow viewer is bounded and harms nobody",
    kept: bounded && equal && busy <= Math.max(250, 3 * calm),
    measured: `${held === undefined ? "" : `${kB(held)} held at most; `}others' events p99 ${busy.toFixed(0)} ms beside it, ${calm.toFixed(0)} ms without; ${equal ? "then equal" : "then different"}`,
  };
}

/** Time from the request that makes an event to the event, p99 of some, milliseconds. */
async function factTimes({ api, space, signal }: Stage, live: Watcher): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RENAMES; i++) {
    const startedMs = performance.now();
    const title = `verify ${i} ${"·".repeat(100)}`;
    const told = live.until(() => live.state.title === title, COME_MS, "an event");
    await api.renameSpace(space, title, { signal });
    await told;
    times.push(performance.now() - startedMs);
  }
  return times.sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]!;
}

async function rename({ api, space, signal }: Stage, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await api.renameSpace(space, `verify, change ${i}`, { signal });
}

/** Puts a cloud into the space as a layer and waits until every watcher has heard that it is whole. */
async function addCloud(
  { api, space, points, signal }: Stage,
  seed: number,
  watchers: readonly Watcher[],
): Promise<void> {
  const { operation } = await api.importLayer(
    space,
    terrainPly(points, seed),
    { name: `terrain ${seed}.ply` },
    { signal },
  );
  await Promise.all(watchers.map((each) => each.until(() => ended(each, operation), COME_MS, "the import's end")));
  const failed = watchers.find((each) => each.state.operations[operation]?.status !== "completed");
  if (failed) throw new Error(`the import failed: ${failed.state.operations[operation]?.error?.message}`);
}

function ended({ state }: Watcher, operation: Id): boolean {
  return state.operations[operation]?.endedNs !== undefined;
}

async function settle(...watchers: readonly Watcher[]): Promise<void> {
  for (const each of watchers) await each.pushesSettled();
}

/** Most bytes the server holds for one socket; `undefined` where it does not say. */
async function heldBytes({ api, signal }: Stage): Promise<number | undefined> {
  const body = (await (await api.call("GET", "/health", { signal })).json()) as { live_waiting_bytes?: number };
  return body.live_waiting_bytes;
}

function same(a: { hash: string }, b: { hash: string }): string {
  return a.hash === b.hash ? `equal (${a.hash})` : `different (${a.hash}, ${b.hash})`;
}

function kB(bytes: number): string {
  return `${(bytes / 1000).toFixed(0)} kB`;
}
