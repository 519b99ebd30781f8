/** One device as this process knows it: its line of commands, who holds it, and what it must be told first. */
import type { CommandState, DeviceDefinition, DeviceMessage, DeviceState } from "@cairn/protocol";
import { Budget } from "../clock/budget.ts";
import { CommandLine, type LineCommand } from "./command-line.ts";
import type { ControlClock } from "./control-clock.ts";
import type { Lease } from "./lease.ts";

/** The way to a device. Neither may throw or wait. */
export type DeviceLink = {
  deliver(message: DeviceMessage): void;
  /** Somebody else is this device now. */
  replaced(): void;
};

const COMMANDS_PER_S = 50;
const COMMANDS_BURST = 100;
/** Stops of a device that is stopped; the first one always counts. */
const STOPS_PER_S = 1;
const STOPS_BURST = 10;

export class ControlledDevice {
  definition: DeviceDefinition;
  readonly line: CommandLine;
  readonly commands: Budget;
  readonly stops: Budget;
  link: DeviceLink | undefined;
  /** Who is this device now, from before that is noted down. */
  arriving: DeviceLink | undefined;
  /** The log has its definition. */
  noted = false;
  lease: Lease | undefined;
  /** Highest number of a command in this lease. */
  lastCommand = 0;
  stopped: { readonly order: number; readonly by: string | undefined; readonly secured?: boolean } | undefined;
  /** A safe order that it has not acknowledged. */
  owed: number | undefined;
  /** What became of commands before the server started. */
  readonly #before: readonly CommandState[];

  constructor(
    definition: DeviceDefinition,
    clock: ControlClock,
    { onOutcome, state }: { onOutcome: (device: ControlledDevice, command: LineCommand) => void; state?: DeviceState },
  ) {
    this.definition = definition;
    this.commands = new Budget(COMMANDS_PER_S, COMMANDS_BURST, clock);
    this.stops = new Budget(STOPS_PER_S, STOPS_BURST, clock);
    this.#before = (state?.commands ?? []).map((each) => ({ ...each }));
    if (state?.stopped) this.stopped = { by: undefined, ...state.stopped };
    this.owed = state?.owed;
    this.line = new CommandLine(definition, {
      clock,
      deliver: (command) => this.#deliver(command),
      onOutcome: (command) => onOutcome(this, command),
    });
  }

  get name(): string {
    return this.definition.device;
  }

  get silent(): boolean {
    return this.definition.silent ?? false;
  }

  /** Of commands before the server started, those whose outcome nobody knew. */
  get unknown(): readonly CommandState[] {
    return this.#before.filter(({ outcome }) => outcome === "sent" || outcome === "accepted");
  }

  before(lease: number, command: number): CommandState | undefined {
    const found = this.#before.find((each) => each.lease === lease && each.command === command);
    const known = found && found.outcome !== "sent" && found.outcome !== "accepted";
    return found && !known ? { ...found, outcome: "lost" } : found;
  }

  redefine(definition: DeviceDefinition): void {
    this.definition = definition;
    this.line.manner = definition;
  }

  /** @returns whether it went out */
  order(what: "safe" | "stop", order: number): boolean {
    const { safe, stop = safe } = this.definition;
    const { kind, data = {} } = what === "stop" ? stop : safe;
    this.link?.deliver({ type: "control.order", device: this.name, order, what, kind, data });
    return this.link !== undefined;
  }

  #deliver({ lease, command, kind, data, deadline }: LineCommand): boolean {
    this.link?.deliver({
      type: "control.command",
      device: this.name,
      lease,
      command,
      kind,
      data,
      expiresNs: String(deadline.ns),
      remainingMs: Math.floor(deadline.remainingMs),
    });
    return this.link !== undefined;
  }
}
