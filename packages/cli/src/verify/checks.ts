/** What a server promises its viewers, each as one check against the real thing. Rules: docs/spec/live.md. */
import { setTimeout as delay } from "node:timers/promises";
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
  /** What has not come after so long does not come. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
  /** Told what is being done. */
  readonly onStep: (text: string) => void;
};

/** Most that a server may hold for one socket (GEN-22). */
const HELD_BYTES = 8 * 2 ** 20;
/** A client may fetch so much more than what it lacks when it comes back. */
const RESUME_FACTOR = 1.05;
const RENAMES = 40;
/** What a viewer that stopped reading is sent: more than its kernel and ours take off the server's hands. */
const FLOOD = { channel: "verify", signals: 500, bytes: 60_000, perSecond: 90 } as const;

const PROMISES = {
  resume: "resume sends only what is missing",
  late: "late join equals live",
  slow: "a slow viewer is bounded and harms nobody",
  gap: "no silent gap: every viewer ends with the same state",
} as const;

/** Runs all checks, in an order in which each finds what the one before left. */
export async function runChecks(stage: Stage): Promise<Finding[]> {
  const { api, space, token, signal, onStep } = stage;
  const [live, away, late, slow] = [0, 1, 2, 3].map(() => new Watcher(api, space, token, signal)) as [
    Watcher,
    Watcher,
    Watcher,
    Watcher,
  ];
  const viewers = [live, away, late, slow];
  try {
    return [
      await finding(stage, PROMISES.resume, () => resumes(stage, live, away)),
      await finding(stage, PROMISES.late, () => {
        onStep("another viewer joins late");
        return joinsLate(stage, live, late);
      }),
      await finding(stage, PROMISES.slow, () => {
        onStep("one viewer stops reading");
        return boundsTheSlow(stage, live, slow);
      }),
      await finding(stage, PROMISES.gap, () => hasNoGap(stage, viewers)),
    ];
  } finally {
    for (const each of viewers) each.drop();
  }
}

type Answer = Omit<Finding, "promise">;

/** What never comes breaks the promise that waited for it, and the other checks go on. */
async function finding({ signal }: Stage, promise: string, check: () => Promise<Answer>): Promise<Finding> {
  try {
    return { promise, ...(await check()) };
  } catch (error) {
    signal.throwIfAborted();
    return { promise, kept: false, measured: error instanceof Error ? error.message : String(error) };
  }
}

async function hasNoGap({ api, space, patienceMs }: Stage, viewers: readonly Watcher[]): Promise<Answer> {
  const { head } = await api.space(space);
  const gaps = viewers.reduce((sum, each) => sum + each.gaps, 0);
  const late = viewers.map((each) => each.until(() => each.seq >= head, patienceMs, "the last event"));
  const behind = (await Promise.allSettled(late)).filter(({ status }) => status === "rejected").length;
  const states = new Set(viewers.map(({ stateHash }) => stateHash)).size;
  return {
    kept: gaps === 0 && behind === 0 && states === 1,
    measured: `${head} events, ${viewers.length} viewers, ${gaps} skipped, ${behind} behind, ${states === 1 ? "all in one state" : `${states} different states`}`,
  };
}

async function resumes(stage: Stage, live: Watcher, away: Watcher): Promise<Answer> {
  const { onStep, patienceMs } = stage;
  onStep("points come while two viewers watch");
  await live.open({ name: "verify live" });
  await away.open({ name: "verify away" });
  await addCloud(stage, 1, [live, away]);
  await live.pushesSettled();
  await away.pushesSettled();

  onStep("one viewer is cut off, and points go on coming");
  const { neededBytes } = await away.points();
  away.drop();
  const before = away.pushedBytes + away.pulledBytes;
  await rename(stage, RENAMES);
  await addCloud(stage, 2, [live]);

  onStep("it comes back");
  await away.open({ name: "verify away" });
  await away.until(() => away.seq >= live.seq, patienceMs, "what was missed");
  await away.pushesSettled();
  const [here, there] = [await live.points(), await away.points()];
  const missing = there.neededBytes - neededBytes;
  const travelled = away.pushedBytes + away.pulledBytes - before;
  return {
    kept: here.hash === there.hash && travelled <= missing * RESUME_FACTOR,
    measured: `${kB(travelled)} for ${kB(missing)} missing (${(travelled / missing).toFixed(3)} ×), points ${same(here, there)}`,
  };
}

async function joinsLate({ patienceMs }: Stage, live: Watcher, late: Watcher): Promise<Answer> {
  const startedMs = performance.now();
  await late.open({ name: "verify late" });
  await late.until(() => late.seq >= live.seq, patienceMs, "the state");
  const stateMs = performance.now() - startedMs;
  await late.until(() => late.pushedBytes > 0, patienceMs, "the first points");
  await late.pushesSettled();
  const [here, there] = [await live.points(), await late.points()];
  const states = live.seq === late.seq && live.stateHash === late.stateHash;
  return {
    kept: states && here.hash === there.hash && here.count === there.count,
    measured: `state in ${stateMs.toFixed(0)} ms, ${states ? "equal" : "different"}; ${there.count} points ${same(here, there)}`,
  };
}

async function boundsTheSlow(stage: Stage, live: Watcher, slow: Watcher): Promise<Answer> {
  const { patienceMs } = stage;
  const calm = await factTimes(stage, live);
  await slow.open({ name: "verify slow", channels: [FLOOD.channel] });
  slow.stall();
  const held = await flood(stage, live);
  const most = Math.max(250, 3 * calm);
  let busy = await factTimes(stage, live);
  // What the slow viewer does to others, it does each time; a pause of the machine is over.
  for (let again = 0; again < 2 && busy > most; again++) busy = Math.min(busy, await factTimes(stage, live));
  await addCloud(stage, 3, [live]);
  slow.wake();
  await slow.until(() => slow.seq >= live.seq || slow.closed !== undefined, patienceMs, "the slow viewer's end");
  if (slow.closed) await slow.open({ name: "verify slow" });
  await slow.until(() => slow.seq >= live.seq, patienceMs, "what the slow viewer missed");
  const equal = slow.stateHash === live.stateHash;
  const bounded = held === undefined || held <= HELD_BYTES;
  return {
    kept: bounded && equal && busy <= most,
    measured: `${held === undefined ? "" : `${kB(held)} held of ${kB(FLOOD.signals * FLOOD.bytes)}; `}others' events p99 ${busy.toFixed(0)} ms beside it, ${calm.toFixed(0)} ms without; ${equal ? "then equal" : "then different"}`,
  };
}

/**
 * Fills whatever the server holds for those who listen on the channel, as fast as one client may.
 * @returns the most that waited for one socket, bytes; `undefined` where the server does not say
 */
async function flood(stage: Stage, live: Watcher): Promise<number | undefined> {
  const text = "·".repeat(FLOOD.bytes / 2);
  let most: number | undefined;
  for (let sent = 0; sent < FLOOD.signals; ) {
    for (const batch = sent + FLOOD.perSecond / 5; sent < batch; sent++) live.signal(FLOOD.channel, text);
    await delay(200, undefined, { signal: stage.signal });
    const held = await heldBytes(stage);
    if (held !== undefined) most = Math.max(most ?? 0, held);
  }
  return most;
}

/** Time from the request that makes an event to the event, p99 of some, milliseconds. */
async function factTimes({ api, space, signal, patienceMs }: Stage, live: Watcher): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RENAMES; i++) {
    const startedMs = performance.now();
    const title = `verify ${i} ${"·".repeat(100)}`;
    const told = live.until(() => live.state.title === title, patienceMs, "an event");
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
  { api, space, points, signal, patienceMs }: Stage,
  seed: number,
  watchers: readonly Watcher[],
): Promise<void> {
  const path = `/v1/spaces/${encodeURIComponent(space)}/layers?name=${encodeURIComponent(`terrain ${seed}.ply`)}`;
  const headers = { "content-type": "application/octet-stream" };
  const answer = await api.call("POST", path, { body: terrainPly(points, seed), headers, signal });
  const { operation } = (await answer.json()) as { operation: Id };
  await Promise.all(watchers.map((each) => each.until(() => ended(each, operation), patienceMs, "the import's end")));
  const failed = watchers.find((each) => each.state.operations[operation]?.status !== "completed");
  if (failed) throw new Error(`the import failed: ${failed.state.operations[operation]?.error?.message}`);
}

function ended({ state }: Watcher, operation: Id): boolean {
  return state.operations[operation]?.endedNs !== undefined;
}

/** Bytes that wait in the server for the socket for which most do; `undefined` where it does not say. */
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
