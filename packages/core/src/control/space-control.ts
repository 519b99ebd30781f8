/**
 * Steering in one space: devices come and go, one operator at a time holds each, commands go out once and in time, and
 * anyone who watches may stop everything. What is decided is decided here at once, in memory; a command is in the log
 * before it goes out, an order to be safe or to stop goes out before it is in the log. Rules: docs/spec/control.md.
 */
import {
  CairnError,
  type Command,
  type CommandData,
  type CommandState,
  type DeviceAnswer,
  type DeviceDefinition,
  definitionOf,
  type EventData,
  type EventDraft,
  type LeaseGrant,
  type LeaseKey,
  type LeaseWish,
} from "@cairn/protocol";
import { Budget } from "../clock/budget.ts";
import type { Space } from "../space/spaces.ts";
import { LineCommand } from "./command-line.ts";
import { checkCommand, checkDefinition, commandDigest } from "./command-rules.ts";
import { type ControlClock, Deadline } from "./control-clock.ts";
import { type Asked, ControlJournal } from "./control-journal.ts";
import { ControlTotals } from "./control-totals.ts";
import type { ControlledDevice, DeviceLink } from "./controlled-device.ts";
import { DeviceRoll } from "./device-roll.ts";
import { Lease, newSecret } from "./lease.ts";

/** A command that was taken, now or before. */
export type SentCommand = {
  readonly state: CommandState;
  /** Resolves when the device has accepted it, or when it is known what became of it. */
  reached(until: "accepted" | "settled"): Promise<void>;
};

/** A device that is connected. */
export type DeviceSession = {
  /** @throws {CairnError} `control.replaced`; what is not known any more is passed over */
  answer(answer: DeviceAnswer): void;
  /** It has done as an order says. */
  secured(order: number): void;
  /** It has gone. */
  end(): void;
};

/** Devices that come, over all names: each is an event. */
const ARRIVALS_PER_S = 5;
const ARRIVALS_BURST = 100;
const HEARTBEAT_MS = 1000;

export class SpaceControl {
  readonly #space: Space;
  readonly #clock: ControlClock;
  readonly #totals: ControlTotals;
  readonly #journal: ControlJournal;
  readonly #devices: DeviceRoll;
  readonly #arrivals: Budget;
  #lastLease = 0;
  #lastOrder = 0;
  #closed = false;

  /** Use `Controls`. Whatever a server that ended left open is ended here. */
  constructor(
    space: Space,
    clock: ControlClock,
    onError: (error: unknown) => void,
    totals: ControlTotals = new ControlTotals(),
  ) {
    this.#space = space;
    this.#clock = clock;
    this.#totals = totals;
    this.#journal = new ControlJournal(space, clock, totals, onError);
    this.#arrivals = new Budget(ARRIVALS_PER_S, ARRIVALS_BURST, clock);
    this.#devices = new DeviceRoll(clock, (device, command) => this.#answered(device, command));
    this.#recover();
  }

  /**
   * A device comes. An older connection of the same name is told that it is replaced; a lease stays whose it is.
   * @throws {CairnError} `request.invalid`, `request.rate_limited`, `control.too_many_devices`, `control.replaced`, `store.…`
   */
  connect(definition: DeviceDefinition, link: DeviceLink): Promise<DeviceSession> {
    return this.#judged({ what: "register", device: definition.device }, () => this.#connect(definition, link));
  }

  /**
   * Gives the device to one holder, until they let it go or are not heard of for three heartbeats.
   * @throws {CairnError} `control.device_missing`, `control.held`, `store.…`
   */
  take(name: string, { holder, heartbeatMs = HEARTBEAT_MS }: LeaseWish): Promise<LeaseGrant> {
    return this.#judged({ what: "take", device: name, by: holder }, async () => {
      const device = this.#devices.get(name);
      const held = this.#leaseOf(device);
      if (held) throw new CairnError("control.held", { holder: held.holder, lease: held.number });
      const secret = newSecret();
      const number = ++this.#lastLease;
      const lease = new Lease({ number, holder, heartbeatMs }, secret, this.#clock, () => {
        if (device.lease === lease) this.#note(this.#endLease(device, lease, "expired"));
      });
      device.lease = lease;
      device.lastCommand = 0;
      try {
        await this.#journal.write({
          type: "control.leased",
          data: { device: name, lease: number, holder, heartbeatMs },
        });
      } catch (error) {
        lease.end();
        if (device.lease === lease) device.lease = undefined;
        throw error;
      }
      lease.keep(); // how long the disk took is not the holder's doing
      return { device: name, lease: number, secret, holder, heartbeatMs };
    });
  }

  /** The holder is there. @throws {CairnError} `control.not_holder`, `control.lease_ended` */
  keep(name: string, key: LeaseKey): Promise<{ remainingMs: number }> {
    return this.#judged({ what: "keep", device: name, lease: key.lease }, async () => {
      const lease = this.#heldBy(this.#devices.get(name), key);
      lease.keep();
      return { remainingMs: lease.remainingMs };
    });
  }

  /** The device is told its safe command, as at every end of a lease. @throws {CairnError} as `keep` */
  release(name: string, key: LeaseKey): Promise<void> {
    return this.#judged({ what: "release", device: name, lease: key.lease }, async () => {
      const device = this.#devices.get(name);
      await this.#note(this.#endLease(device, this.#heldBy(device, key), "released"));
    });
  }

  /**
   * Sends a command on, once. The same number again gives what became of it, also after its lease or the server ended.
   * Resolves when it is in the log and has gone out, or waits for its turn.
   * @throws {CairnError} `control.…`: it goes nowhere; `store.…`: nor does it, and may be tried again
   */
  send(name: string, key: LeaseKey, command: Command): Promise<SentCommand> {
    const asked: Asked = { what: "command", device: name, lease: key.lease, command: command.command };
    return this.#judged(asked, () => this.#send(this.#devices.get(name), key, command));
  }

  /**
   * Stops a device, or all of the space: at once, whoever holds them, also those that are away, when they come back.
   * @throws {CairnError} `control.device_missing`
   */
  async stop(name?: string, by?: string): Promise<{ device: string; order: number }[]> {
    const devices = name === undefined ? this.#devices.all : [this.#devices.get(name)];
    const drafts: EventDraft[] = [];
    const stops = devices.map((device) => {
      // A flood of them is one that stands.
      if (!device.stopped || device.stops.take()) {
        this.#totals.stops++;
        const order = ++this.#lastOrder;
        device.stopped = { order, by };
        device.owed = undefined;
        const told = device.order("stop", order);
        const data = { device: device.name, order, ...(by !== undefined && { by }) };
        drafts.push({ type: "control.stopped", data });
        if (told && device.silent) drafts.push({ type: "control.secured", data: { device: device.name, order } });
      }
      return { device: device.name, order: device.stopped.order };
    });
    const noted = this.#note(drafts);
    for (const device of devices) device.line.drop("stopped");
    await noted;
    return stops;
  }

  /**
   * Commands go again. @param order of the stop that the holder means; a newer one stands
   * @throws {CairnError} `control.not_holder`, `control.lease_ended`, `control.not_stopped`, `control.stopped`, `store.…`
   */
  clear(name: string, key: LeaseKey, order: number): Promise<void> {
    return this.#judged({ what: "clear", device: name, lease: key.lease }, async () => {
      const device = this.#devices.get(name);
      const lease = this.#heldBy(device, key);
      const { stopped } = device;
      if (!stopped) throw new CairnError("control.not_stopped");
      if (stopped.order !== order) throw new CairnError("control.stopped", factsOf(stopped));
      await this.#journal.write({ type: "control.cleared", data: { device: name, order, lease: lease.number } });
      if (device.stopped?.order !== order) throw new CairnError("control.stopped", factsOf(device.stopped ?? stopped));
      device.stopped = undefined;
    });
  }

  /**
   * Whether a command of an older client, which knows no leases, may go on now; if so, it is noted down as sent on.
   * @throws {CairnError} `control.stopped`, `control.held`
   */
  relay(name: string, kind: string, data: CommandData, by?: string): void {
    const device = this.#devices.find(name);
    const held = device && this.#leaseOf(device);
    const refusal = device?.stopped
      ? new CairnError("control.stopped", factsOf(device.stopped))
      : held && new CairnError("control.held", { holder: held.holder, lease: held.number });
    if (refusal) {
      this.refused({ what: "relay", device: name, ...(by !== undefined && { by }) }, refusal);
      throw refusal;
    }
    this.#journal.relayed({ device: name, kind, data, ...(by !== undefined && { by }) });
  }

  /** Notes down what was refused before it came here: malformed, or by somebody who may not. */
  refused(asked: Asked, error: CairnError): void {
    if (!this.#closed) this.#journal.refused(asked, error);
  }

  /** How many devices are there, are held, and are stopped. */
  now(): { devices: number; leases: number; stopped: number } {
    return this.#devices.count();
  }

  /** Every lease ends, devices are told to be safe, and what is open is noted down as lost. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const device of this.#devices.all) {
      device.line.close();
      if (device.lease) this.#note(this.#endLease(device, device.lease, "stopping"));
    }
    await this.#journal.close();
  }

  async #connect(definition: DeviceDefinition, link: DeviceLink): Promise<DeviceSession> {
    const name = definition.device;
    checkDefinition(definition);
    if (!this.#arrivals.take()) throw new CairnError("request.rate_limited");
    const known = this.#devices.find(name);
    const device = known ?? this.#devices.admit(definition);
    const old = device.link;
    device.link = undefined;
    device.arriving = link;
    if (old) {
      device.line.drop("the device came anew");
      old.replaced();
    }
    const same = known && JSON.stringify(definitionOf(known.definition)) === JSON.stringify(definitionOf(definition));
    const data = same && known.noted ? { device: name } : { device: name, definition: definitionOf(definition) };
    try {
      await this.#journal.write({ type: "control.connected", data });
    } catch (error) {
      if (device.arriving === link) {
        device.arriving = undefined;
        // Nobody has heard of it, or it was there and is not any more.
        if (!device.noted) this.#devices.remove(name);
        else if (old) this.#note([{ type: "control.disconnected", data: { device: name, reason: "left" } }]);
      }
      throw error;
    }
    if (device.arriving !== link) throw new CairnError("control.replaced");
    device.noted = true;
    device.redefine(definition);
    device.link = link;
    this.#note(this.#tellOwed(device));
    return this.#session(device, link);
  }

  #session(device: ControlledDevice, link: DeviceLink): DeviceSession {
    const { name } = device;
    const needsLink = (asked: Asked) => {
      if (device.link === link) return;
      const error = new CairnError("control.replaced");
      this.refused(asked, error);
      throw error;
    };
    return {
      answer: (answer) => {
        needsLink({ what: "answer", device: name, lease: answer.lease, command: answer.command });
        device.line.answer(answer);
      },
      secured: (order) => {
        needsLink({ what: "secured", device: name });
        if (device.owed === order) device.owed = undefined;
        else if (device.stopped?.order !== order || device.stopped.secured) return;
        else device.stopped = { ...device.stopped, secured: true };
        this.#note([{ type: "control.secured", data: { device: name, order } }]);
      },
      end: () => {
        if (device.arriving !== link) return;
        device.arriving = undefined;
        device.link = undefined;
        this.#note([{ type: "control.disconnected", data: { device: name, reason: "left" } }]);
        device.line.drop("the device left");
      },
    };
  }

  async #send(device: ControlledDevice, key: LeaseKey, wish: Command): Promise<SentCommand> {
    const { kind, data = {}, command: number } = wish;
    const digest = commandDigest(kind, data);
    const earlier = device.line.find(key.lease, number) ?? ended(device.before(key.lease, number));
    const same = earlier?.state.digest === digest ? earlier : undefined;
    if (same && key.lease !== device.lease?.number) return same;
    const lease = this.#heldBy(device, key);
    if (same) return same;
    if (earlier) throw new CairnError("request.invalid", { field: "/command", problem: "used for another command" });
    if (number <= device.lastCommand) throw new CairnError("control.replayed", { last: device.lastCommand });
    if (device.stopped) throw new CairnError("control.stopped", factsOf(device.stopped));
    if (!device.link) throw new CairnError("control.device_away", { device: device.name });
    checkCommand(device.definition, { kind, data });
    if (!device.commands.take()) throw new CairnError("control.too_many_commands");
    const deadline = new Deadline(
      this.#clock,
      Math.min(wish.ttlMs ?? Number.POSITIVE_INFINITY, device.definition.ttlMs),
    );
    const command = new LineCommand({ lease: lease.number, command: number, kind, data, digest, deadline });
    const last = device.lastCommand;
    device.line.reserve(command);
    device.lastCommand = number;
    lease.keep();
    try {
      const { outcome: _, ...facts } = command.state;
      await this.#journal.write({ type: "control.sent", data: { device: device.name, ...facts, data } });
    } catch (error) {
      device.line.forget(command);
      if (device.lastCommand === number) device.lastCommand = last;
      throw error;
    }
    this.#totals.sent++;
    // The disk took its time: what held before may not any more.
    if (this.#leaseOf(device) !== lease) device.line.refuse(command, "dropped", "the lease ended");
    else if (device.stopped) device.line.refuse(command, "dropped", "stopped");
    else if (!device.link) device.line.refuse(command, "dropped", "the device left");
    else if (!this.#closed) device.line.admit(command);
    return command;
  }

  #heldBy(device: ControlledDevice, key: LeaseKey): Lease {
    const lease = this.#leaseOf(device);
    if (lease?.fits(key)) return lease;
    const over = key.lease <= this.#lastLease && key.lease !== lease?.number;
    throw new CairnError(over ? "control.lease_ended" : "control.not_holder", { device: device.name });
  }

  /** Whose time is up though its timer has not run yet is not the holder any more. */
  #leaseOf(device: ControlledDevice): Lease | undefined {
    const { lease } = device;
    if (lease?.remainingMs === 0) this.#note(this.#endLease(device, lease, "expired"));
    return device.lease;
  }

  #endLease(device: ControlledDevice, lease: Lease, reason: EventData<"control.released">["reason"]): EventDraft[] {
    lease.end();
    device.lease = undefined;
    const order = device.stopped ? undefined : ++this.#lastOrder;
    const facts = { device: device.name, lease: lease.number, reason };
    const drafts: EventDraft[] = [
      { type: "control.released", data: { ...facts, ...(order !== undefined && { order }) } },
    ];
    if (order !== undefined) {
      device.owed = order;
      drafts.push(...this.#tellOwed(device));
    }
    device.line.drop("the lease ended");
    return drafts;
  }

  /** What stands above commands; for a device that never acknowledges, to have told it is all. */
  #tellOwed(device: ControlledDevice): EventDraft[] {
    const { stopped, owed, name } = device;
    const order = stopped?.order ?? owed;
    if (order === undefined || !device.order(stopped ? "stop" : "safe", order) || !device.silent) return [];
    if (!stopped) device.owed = undefined;
    return [{ type: "control.secured", data: { device: name, order } }];
  }

  #answered({ name }: ControlledDevice, line: LineCommand): void {
    const { lease, command, outcome, message } = line;
    if (outcome === "sent") return;
    this.#totals.outcomes[outcome]++;
    if (!line.answered && (outcome === "accepted" || outcome === "done" || outcome === "failed")) {
      line.answered = true;
      this.#totals.onAnswer(line.deadline.ageMs);
    }
    const facts = { device: name, lease, command, outcome, ...(message !== undefined && { message }) };
    this.#note([{ type: "control.answered", data: facts }]);
  }

  #recover(): void {
    const { control } = this.#space.log.snapshot().state;
    if (!control) return;
    this.#lastLease = control.lastLease;
    this.#lastOrder = control.lastOrder;
    this.#note(this.#devices.recover(Object.values(control.devices), () => ++this.#lastOrder));
  }

  #judged<T>(asked: Asked, work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new CairnError("server.stopping"));
    return this.#journal.judged(asked, work);
  }

  #note(drafts: readonly EventDraft[]): Promise<void> {
    return this.#journal.note(drafts);
  }
}

function ended(state: CommandState | undefined): SentCommand | undefined {
  return state && { state, reached: () => Promise.resolve() };
}

function factsOf({ order, by }: { order: number; by: string | undefined }) {
  return { order, ...(by !== undefined && { by }) };
}
