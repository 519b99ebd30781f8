/**
 * The commands of one device, from their coming to their end: they wait in order until the device has accepted those
 * before, go out once or not at all, never after their time, and each ends with exactly one outcome.
 */
import { CairnError, type CommandData, type CommandState, type DeviceAnswer, type Outcome } from "@cairn/protocol";
import { type ControlClock, Deadline } from "./control-clock.ts";

/** Commands that wait for a device, at most. */
export const WAITING = 64;
/** Commands whose outcome is known for those who ask again. */
const REMEMBERED = 256;
const WINDOW = 4;
const DONE_MS = 60_000;

export type LineOptions = {
  readonly clock: ControlClock;
  /** Puts one on the wire, now. False: there is no wire. */
  readonly deliver: (command: LineCommand) => boolean;
  /** Told of every outcome, once. */
  readonly onOutcome: (command: LineCommand) => void;
};

/** How the device takes commands. */
type Manner = { readonly window?: number | undefined; readonly doneMs?: number | undefined; readonly silent?: boolean };

export class LineCommand {
  readonly lease: number;
  readonly command: number;
  readonly kind: string;
  readonly data: CommandData;
  readonly digest: string;
  readonly deadline: Deadline;
  outcome: CommandState["outcome"] = "sent";
  message: string | undefined;
  /** It went to the device. */
  delivered = false;
  /** The device has said something of it. */
  answered = false;
  /** Calls off the timer that waits for what the device says. */
  cancel = () => {};
  #waiters: { until: "accepted" | "settled"; resolve: () => void }[] = [];

  constructor(facts: Pick<LineCommand, "lease" | "command" | "kind" | "data" | "digest" | "deadline">) {
    ({
      lease: this.lease,
      command: this.command,
      kind: this.kind,
      data: this.data,
      digest: this.digest,
      deadline: this.deadline,
    } = facts);
  }

  get settled(): boolean {
    return this.outcome !== "sent" && this.outcome !== "accepted";
  }

  get state(): CommandState {
    const { lease, command, kind, digest, outcome, message } = this;
    const expiresNs = String(this.deadline.ns);
    return { lease, command, kind, digest, expiresNs, outcome, ...(message !== undefined && { message }) };
  }

  /** Resolves when the device has accepted it, or when it is known what became of it. */
  reached(until: "accepted" | "settled"): Promise<void> {
    if (this.settled || (until === "accepted" && this.outcome === "accepted")) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ until, resolve }));
  }

  /** Use {@link CommandLine}. */
  set(outcome: Outcome, message?: string): void {
    this.outcome = outcome;
    if (message !== undefined) this.message = message;
    this.#waiters = this.#waiters.filter(({ until, resolve }) => {
      if (!this.settled && until === "settled") return true;
      resolve();
      return false;
    });
  }
}

export class CommandLine {
  readonly #options: LineOptions;
  manner: Manner;
  /** By {@link keyOf}, oldest first. */
  readonly #known = new Map<string, LineCommand>();
  #waiting: LineCommand[] = [];
  readonly #unaccepted = new Set<LineCommand>();

  constructor(manner: Manner, options: LineOptions) {
    this.manner = manner;
    this.#options = options;
  }

  find(lease: number, command: number): LineCommand | undefined {
    return this.#known.get(keyOf(lease, command));
  }

  /** Sets a number aside, so that it is not used twice. @throws {CairnError} `control.too_many_commands` */
  reserve(command: LineCommand): void {
    if (this.#waiting.length >= WAITING) throw new CairnError("control.too_many_commands", { waiting: WAITING });
    this.#known.set(keyOf(command.lease, command.command), command);
    for (const [key, { settled }] of this.#known) {
      if (this.#known.size <= REMEMBERED) break;
      if (settled) this.#known.delete(key);
    }
  }

  /** It could not be noted down and went nowhere. */
  forget({ lease, command }: LineCommand): void {
    this.#known.delete(keyOf(lease, command));
  }

  /** It may go out. */
  admit(command: LineCommand): void {
    command.cancel = command.deadline.whenPassed(() => this.#late(command));
    this.#waiting.push(command);
    this.pump();
  }

  /** Sends what may go out now. */
  pump(): void {
    const { window = WINDOW, silent = false } = this.manner;
    while (this.#unaccepted.size < window) {
      const command = this.#waiting.shift();
      if (!command) return;
      if (command.deadline.passed) this.#settle(command, "late");
      else if (!this.#options.deliver(command)) this.#settle(command, "dropped", "the device is away");
      else if (silent) this.#settle(command, "delivered");
      else {
        command.delivered = true;
        this.#unaccepted.add(command);
      }
    }
  }

  /** What the device says. False: nothing is known of such a command, or its outcome is. */
  answer({ lease, command: number, outcome, message }: DeviceAnswer): boolean {
    const command = this.find(lease, number);
    if (!command?.delivered || command.settled || command.outcome === outcome) return false;
    if (outcome === "accepted") {
      command.cancel();
      const end = new Deadline(this.#options.clock, this.manner.doneMs ?? DONE_MS);
      command.cancel = end.whenPassed(() => this.#settle(command, "timed_out"));
      this.#unaccepted.delete(command);
      command.set("accepted", message);
      this.#options.onOutcome(command);
    } else {
      this.#settle(command, outcome, message);
    }
    this.pump();
    return true;
  }

  /** What waits goes nowhere; what went out may still be answered. */
  drop(why: string): void {
    const dropped = this.#waiting;
    this.#waiting = [];
    for (const command of dropped) this.#settle(command, "dropped", why);
  }

  /** Nobody will hear what becomes of them. */
  close(): void {
    for (const command of [...this.#known.values()]) {
      if (!command.settled) this.#settle(command, command.delivered ? "lost" : "dropped");
    }
    this.#waiting = [];
  }

  /** Refused before it could wait. */
  refuse(command: LineCommand, outcome: "late" | "dropped", why?: string): void {
    this.#settle(command, outcome, why);
  }

  #late(command: LineCommand): void {
    this.#waiting = this.#waiting.filter((each) => each !== command);
    this.#settle(command, command.delivered ? "timed_out" : "late");
    this.pump();
  }

  #settle(command: LineCommand, outcome: Outcome, message?: string): void {
    if (command.settled) return;
    command.cancel();
    this.#unaccepted.delete(command);
    command.set(outcome, message);
    this.#options.onOutcome(command);
  }
}

function keyOf(lease: number, command: number): string {
  return `${lease}/${command}`;
}
