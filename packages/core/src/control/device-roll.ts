/** The devices of one space: those that are there or were, that there is room for another, and what the log says of them. */
import {
  CairnError,
  type DeviceDefinition,
  type DeviceState,
  definitionOf,
  type EventDraft,
  MOST_DEVICES,
} from "@cairn/protocol";
import type { LineCommand } from "./command-line.ts";
import type { ControlClock } from "./control-clock.ts";
import { ControlledDevice } from "./controlled-device.ts";

export class DeviceRoll {
  readonly #clock: ControlClock;
  readonly #onOutcome: (device: ControlledDevice, command: LineCommand) => void;
  readonly #devices = new Map<string, ControlledDevice>();

  constructor(clock: ControlClock, onOutcome: (device: ControlledDevice, command: LineCommand) => void) {
    this.#clock = clock;
    this.#onOutcome = onOutcome;
  }

  get all(): ControlledDevice[] {
    return [...this.#devices.values()];
  }

  find(name: string): ControlledDevice | undefined {
    return this.#devices.get(name);
  }

  /** @throws {CairnError} `control.device_missing` */
  get(name: string): ControlledDevice {
    const device = this.#devices.get(name);
    if (!device) throw new CairnError("control.device_missing", { device: name.slice(0, 64) });
    return device;
  }

  /** As the state does: for another the one that is away longest goes. @throws {CairnError} `control.too_many_devices` */
  admit(definition: DeviceDefinition): ControlledDevice {
    if (this.#devices.size < MOST_DEVICES) return this.#add(definition);
    const away = this.all.find(({ arriving, lease, stopped }) => !arriving && !lease && !stopped);
    if (!away) throw new CairnError("control.too_many_devices", { most: MOST_DEVICES });
    this.#devices.delete(away.name);
    return this.#add(definition);
  }

  remove(name: string): void {
    this.#devices.delete(name);
  }

  /** How many are there, are held, and are stopped. */
  count(): { devices: number; leases: number; stopped: number } {
    const now = { devices: 0, leases: 0, stopped: 0 };
    for (const { link, lease, stopped } of this.#devices.values()) {
      if (link) now.devices++;
      if (lease) now.leases++;
      if (stopped) now.stopped++;
    }
    return now;
  }

  /** Takes in those of before the server started. @returns what ends what it left open */
  recover(states: readonly DeviceState[], nextOrder: () => number): EventDraft[] {
    const drafts: EventDraft[] = [];
    for (const state of states) {
      const name = state.device;
      const device = this.#add(definitionOf(state), state);
      device.noted = true;
      for (const { lease, command } of device.unknown) {
        drafts.push({ type: "control.answered", data: { device: name, lease, command, outcome: "lost" } });
      }
      if (state.lease) {
        const order = device.stopped ? undefined : nextOrder();
        if (order !== undefined) device.owed = order;
        const facts = { device: name, lease: state.lease.lease, reason: "restarted" as const };
        drafts.push({ type: "control.released", data: { ...facts, ...(order !== undefined && { order }) } });
      }
      if (state.connected) drafts.push({ type: "control.disconnected", data: { device: name, reason: "restarted" } });
    }
    return drafts;
  }

  #add(definition: DeviceDefinition, state?: DeviceState): ControlledDevice {
    const device = new ControlledDevice(definition, this.#clock, {
      onOutcome: this.#onOutcome,
      ...(state && { state }),
    });
    this.#devices.set(device.name, device);
    return device;
  }
}
