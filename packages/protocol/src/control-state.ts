/** What the `control.*` events of a space add up to: its devices, who holds them, and what became of the last commands. */
import type { CommandState, DeviceDefinition, DeviceName } from "./control.ts";
import type { EventOf } from "./events.ts";
import type { TimeNs } from "./ids.ts";

export type DeviceState = DeviceDefinition & {
  connected: boolean;
  /** When it came or left last. */
  sinceNs: TimeNs;
  /** Who steers it. */
  lease?: { lease: number; holder: string; heartbeatMs: number; sinceNs: TimeNs };
  /** An emergency stop that nobody has cleared. */
  stopped?: { order: number; by?: string; sinceNs: TimeNs; secured: boolean };
  /** A safe order that it has not acknowledged. */
  owed?: number;
  /** The last `KEPT_COMMANDS`, oldest first. */
  commands: CommandState[];
};

export type ControlState = {
  /** Highest number that a lease, and an order, ever had. */
  lastLease: number;
  lastOrder: number;
  devices: Record<DeviceName, DeviceState>;
};

const KEPT_COMMANDS = 64;
/** Of a space; for another the one that is away longest is forgotten, not one that is held or stopped. */
export const MOST_DEVICES = 64;

type ControlEvent = EventOf<
  | "control.connected"
  | "control.disconnected"
  | "control.leased"
  | "control.released"
  | "control.sent"
  | "control.answered"
  | "control.stopped"
  | "control.cleared"
  | "control.secured"
>;

/** Folds one event into `control`, in place. */
export function applyControl(control: ControlState, event: ControlEvent): void {
  const { devices } = control;
  const device = Object.hasOwn(devices, event.data.device) ? devices[event.data.device] : undefined;
  switch (event.type) {
    case "control.connected": {
      const { device: name, definition } = event.data;
      const { lease, stopped, owed, commands = [] } = device ?? {};
      const known = definition ?? device;
      if (!known) return;
      devices[name] = {
        ...definitionOf(known),
        connected: true,
        sinceNs: event.timeNs,
        ...(lease && { lease }),
        ...(stopped && { stopped }),
        ...(owed !== undefined && { owed }),
        commands,
      };
      forget(control);
      return;
    }
    case "control.leased":
      control.lastLease = Math.max(control.lastLease, event.data.lease);
      if (!device) return;
      device.lease = {
        lease: event.data.lease,
        holder: event.data.holder,
        heartbeatMs: event.data.heartbeatMs,
        sinceNs: event.timeNs,
      };
      return;
    case "control.released":
      control.lastOrder = Math.max(control.lastOrder, event.data.order ?? 0);
      if (!device) return;
      if (device.lease?.lease === event.data.lease) delete device.lease;
      if (event.data.order !== undefined) device.owed = event.data.order;
      return;
    case "control.stopped":
      control.lastOrder = Math.max(control.lastOrder, event.data.order);
      if (!device) return;
      device.stopped = {
        order: event.data.order,
        ...(event.data.by !== undefined && { by: event.data.by }),
        sinceNs: event.timeNs,
        secured: false,
      };
      delete device.owed;
      return;
    case "control.disconnected":
      if (!device) return;
      device.connected = false;
      device.sinceNs = event.timeNs;
      return;
    case "control.sent": {
      if (!device) return;
      const { lease, command, kind, digest, expiresNs } = event.data;
      device.commands.push({ lease, command, kind, digest, expiresNs, outcome: "sent" });
      device.commands.splice(0, device.commands.length - KEPT_COMMANDS);
      return;
    }
    case "control.answered": {
      const { lease, command, outcome, message } = event.data;
      const sent = device?.commands.find((each) => each.lease === lease && each.command === command);
      if (!sent) return;
      sent.outcome = outcome;
      if (message !== undefined) sent.message = message;
      return;
    }
    case "control.cleared":
      if (device?.stopped && device.stopped.order <= event.data.order) delete device.stopped;
      return;
    case "control.secured":
      if (device?.stopped?.order === event.data.order) device.stopped.secured = true;
      if (device?.owed === event.data.order) delete device.owed;
      return;
  }
}

/** Just what a device said of itself. */
export function definitionOf(device: DeviceDefinition): DeviceDefinition {
  const { device: name, kinds, safe, stop, ttlMs, doneMs, window, silent } = device;
  return {
    device: name,
    kinds,
    safe,
    ...(stop && { stop }),
    ttlMs,
    ...(doneMs !== undefined && { doneMs }),
    ...(window !== undefined && { window }),
    ...(silent !== undefined && { silent }),
  };
}

function forget({ devices }: ControlState): void {
  const all = Object.values(devices);
  if (all.length <= MOST_DEVICES) return;
  const away = all.filter(({ connected, lease, stopped }) => !connected && !lease && !stopped);
  const longest = away.reduce<DeviceState | undefined>(
    (oldest, each) => (oldest && BigInt(oldest.sinceNs) <= BigInt(each.sinceNs) ? oldest : each),
    undefined,
  );
  if (longest) delete devices[longest.device];
}
