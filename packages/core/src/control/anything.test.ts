/** Whatever operators, watchers, devices, clocks, the disk and restarts do, in whatever order: what a device gets is right. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { DeviceMessage, LeaseGrant, LeaseKey } from "@cairn/protocol";
import fc from "fast-check";
import { type ControlledSpace, controlledSpace, DRONE } from "../test/controlled-space.ts";
import type { DeviceSession } from "./space-control.ts";

/** One at a time: others wait, which is where most can go wrong. */
const WAITING_DRONE = { ...DRONE, window: 1 };

type Step =
  | { do: "take" | "release" | "keep" | "clear" | "forge" | "replay" | "restart" | "hold" | "letGo"; who: 0 | 1 }
  | { do: "send"; who: 0 | 1; ttlMs: number }
  | { do: "stop" | "come" | "leave" | "secured" }
  | { do: "answer"; outcome: "accepted" | "done" | "failed"; newest: number }
  | { do: "pass" | "stall" | "jump"; ms: number };

const who = fc.constantFrom<0 | 1>(0, 1);
const sends = fc.record({ do: fc.constant("send" as const), who, ttlMs: fc.integer({ min: 1, max: 1500 }) });
const operators: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("take", "release", "keep", "clear", "forge", "replay", "restart", "hold", "hold", "letGo"),
  who,
});
const devices: fc.Arbitrary<Step> = fc.record({ do: fc.constantFrom("stop", "stop", "come", "leave", "secured") });
const answers: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("answer"),
  outcome: fc.constantFrom("accepted", "done", "failed"),
  newest: fc.nat(2),
});
const times: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("pass", "stall"),
  ms: fc.integer({ min: 0, max: 1200 }),
});
const jumps: fc.Arbitrary<Step> = fc.record({ do: fc.constant("jump"), ms: fc.integer({ min: -5000, max: 5000 }) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 7, arbitrary: sends },
  { weight: 6, arbitrary: operators },
  { weight: 3, arbitrary: devices },
  { weight: 4, arbitrary: answers },
  { weight: 3, arbitrary: times },
  { weight: 1, arbitrary: jumps },
);

type Told = { message: DeviceMessage; nowNs: bigint; steadyNs: bigint };

/** One run: what was asked, and what the device got and when. */
class Run {
  readonly place: ControlledSpace;
  readonly told: Told[] = [];
  /** When a command was first asked for, by the steady clock, and how long it was good. */
  readonly asked = new Map<string, { steadyNs: bigint; ttlMs: number }>();
  readonly #keys: (LeaseGrant | undefined)[] = [undefined, undefined];
  readonly #old: LeaseGrant[] = [];
  readonly #numbers = new Map<number, number>();
  #session: DeviceSession | undefined;
  #pending: Promise<unknown>[] = [];

  constructor(place: ControlledSpace) {
    this.place = place;
  }

  async take(step: Step): Promise<void> {
    const { place } = this;
    switch (step.do) {
      case "pass":
        place.clock.pass(step.ms);
        break;
      case "stall":
        place.clock.stall(step.ms);
        break;
      case "jump":
        place.clock.jump(step.ms);
        break;
      case "hold":
        place.hold();
        break;
      case "letGo":
        place.letGo();
        await this.settle();
        break;
      case "restart":
        place.letGo();
        await this.settle();
        this.#session = undefined;
        await place.restart();
        break;
      case "come":
        place.letGo(); // a device that comes is waited for
        await this.#come();
        break;
      case "leave":
        this.#session?.end();
        this.#session = undefined;
        break;
      case "secured":
      case "answer":
        this.#say(step);
        break;
      case "stop":
        this.#later(place.control.stop("drone"));
        break;
      default:
        this.#operator(step);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  #say(step: Extract<Step, { do: "stop" | "come" | "leave" | "secured" | "answer" }>): void {
    const kind = step.do === "answer" ? "control.command" : "control.order";
    const back = step.do === "answer" ? step.newest : 0;
    const message = this.told.filter(({ message: { type } }) => type === kind).at(-1 - back)?.message;
    try {
      if (step.do === "answer" && message?.type === "control.command") {
        this.#session?.answer({ lease: message.lease, command: message.command, outcome: step.outcome });
      } else if (message?.type === "control.order") this.#session?.secured(message.order);
    } catch {
      // it was replaced
    }
  }

  /** Everything that was asked has been answered. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#pending);
    this.#pending = [];
    await this.place.events();
  }

  #operator(step: Extract<Step, { who: 0 | 1 }>): void {
    const { control } = this.place;
    const key = this.#keys[step.who];
    if (step.do === "take") {
      const taking = control.take("drone", { holder: `P${step.who}` }).then((grant) => {
        if (key) this.#old.push(key);
        this.#keys[step.who] = grant;
      });
      this.#later(taking);
      return;
    }
    if (!key) return;
    const { lease } = key;
    const last = this.#numbers.get(lease) ?? 0;
    switch (step.do) {
      case "keep":
        this.#later(control.keep("drone", key));
        return;
      case "release":
        this.#later(control.release("drone", key));
        return;
      case "clear": {
        const stop = this.told.findLast(({ message }) => message.type === "control.order" && message.what === "stop");
        if (stop?.message.type === "control.order") this.#later(control.clear("drone", key, stop.message.order));
        return;
      }
      case "send":
        this.#numbers.set(lease, last + 1);
        this.#send(key, last + 1, step.ttlMs);
        return;
      case "replay":
        // An old command as it was, and one of this lease.
        for (const old of this.#old) this.#send(old, this.#numbers.get(old.lease) ?? 1, 1000);
        if (last > 0) this.#send(key, Math.max(1, last - 1), 1000);
        return;
      case "forge":
        this.#later(control.send("drone", { lease, secret: "guess" }, commandOf(last + 1, 1000)));
        this.#later(control.send("drone", { ...key, lease: lease + 1 }, commandOf(last + 1, 1000)));
    }
  }

  #send(key: LeaseKey, command: number, ttlMs: number): void {
    const name = `${key.lease}/${command}`;
    if (!this.asked.has(name)) this.asked.set(name, { steadyNs: this.place.clock.steadyNs(), ttlMs });
    this.#later(this.place.control.send("drone", key, commandOf(command, ttlMs)));
  }

  async #come(): Promise<void> {
    const { clock } = this.place;
    await this.settle();
    this.#session = await this.place.control
      .connect(WAITING_DRONE, {
        deliver: (message) => {
          this.told.push({ message, nowNs: clock.nowNs(), steadyNs: clock.steadyNs() });
        },
        replaced: () => {},
      })
      .catch(() => undefined);
  }

  #later(work: Promise<unknown>): void {
    this.#pending.push(work.catch(() => undefined));
  }
}

const commandOf = (command: number, ttlMs: number) => ({ command, kind: "move", data: { x: command / 1e6 }, ttlMs });

async function holds(t: TestContext, steps: readonly Step[]): Promise<void> {
  const place = await controlledSpace(t);
  const run = new Run(place);
  await run.take({ do: "come" });
  await run.take({ do: "take", who: 0 });
  await run.settle();
  for (const each of steps) await run.take(each);
  await run.take({ do: "letGo", who: 0 });
  // Until everything has its end: what the device accepted is done or is not, and every lease is over.
  for (let n = 0; n < 20; n++) {
    place.clock.pass(1000);
    await run.settle();
  }

  const events = await place.events();
  const delivered = new Map<string, number>();
  let [lastLease, lastCommand] = [0, 0];
  for (const { message, nowNs, steadyNs } of run.told) {
    if (message.type !== "control.command") continue;
    const name = `${message.lease}/${message.command}`;
    assert.ok(!delivered.has(name), `${name} twice`);
    delivered.set(name, delivered.size);
    assert.ok(nowNs < BigInt(message.expiresNs), `${name} after its time by the server's clock`);
    const { steadyNs: askedNs, ttlMs } = run.asked.get(name)!;
    assert.ok(steadyNs - askedNs < BigInt(Math.min(ttlMs, DRONE.ttlMs)) * 1_000_000n, `${name} after its time`);
    const later = message.lease > lastLease || (message.lease === lastLease && message.command > lastCommand);
    assert.ok(later, `${name} after ${lastLease}/${lastCommand}`);
    [lastLease, lastCommand] = [message.lease, message.command];
  }

  // The log tells the same: one holder at a time, no command while a stop stands, each sent once with one last end.
  let holder: number | undefined;
  let stopped = 0;
  const ends = new Map<string, string>();
  for (const { type, data } of events) {
    if (type === "control.leased") {
      assert.equal(holder, undefined, "two held it");
      holder = data.lease;
    } else if (type === "control.released") {
      assert.equal(holder, data.lease);
      holder = undefined;
    } else if (type === "control.sent") {
      const name = `${data.lease}/${data.command}`;
      assert.ok(!ends.has(name), `${name} sent twice`);
      ends.set(name, "sent");
    } else if (type === "control.answered") {
      const name = `${data.lease}/${data.command}`;
      assert.match(ends.get(name) ?? "never", /^(sent|accepted)$/, `${name}: ${data.outcome} after its end`);
      ends.set(name, data.outcome);
    } else if (type === "control.stopped") stopped = data.order;
    else if (type === "control.cleared" && data.order >= stopped) stopped = 0;
  }
  assert.equal(holder, undefined);
  for (const name of delivered.keys()) assert.ok(ends.has(name), `${name} is not in the log`);
  for (const [name, end] of ends) {
    assert.doesNotMatch(end, /^(sent|accepted)$/, `${name} has no end`);
    if (delivered.has(name)) assert.doesNotMatch(end, /^(late|dropped)$/, `${name} went out`);
    else assert.match(end, /^(late|dropped|lost)$/, `${name} did not go out`);
  }
  // What was decided in memory is what the log says.
  assert.equal(place.device().stopped?.order ?? 0, stopped);
  assert.deepEqual(place.errors, []);

  // Nothing went out between a stop and what cleared it, nor of a lease whose end the device was told.
  const released = new Map(
    events.flatMap(({ type, data }) => (type === "control.released" && data.order ? [[data.order, data.lease]] : [])),
  );
  let over = 0;
  const cleared = new Set(events.flatMap(({ type, data }) => (type === "control.cleared" ? [data.order] : [])));
  let standing: number | undefined;
  for (const { message } of run.told) {
    if (message.type === "control.order" && message.what === "stop") standing = message.order;
    else if (message.type === "control.order") over = Math.max(over, released.get(message.order) ?? 0);
    else if (message.type === "control.command") {
      assert.ok(message.lease > over, `${message.lease}/${message.command} after the end of its lease`);
      assert.ok(standing === undefined || cleared.has(standing), `${message.lease}/${message.command} under a stop`);
    }
  }
}

test("CTL-2 CTL-6 CTL-7 CTL-8 CTL-9 CTL-11 whatever happens: one holder, no command twice, none late, none under a stop, each with one end", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), (steps) => holds(t, steps)),
    { seed: 20261121, numRuns: 150 },
  );
});
