/**
 * Being a device: takes commands from whoever holds it, once each and in time, acknowledges them, and is safe whenever
 * nobody steers it: told so, stopped, or without a line to the server. Rule CTL-20.
 */
import { CairnError, type CommandData, type DeviceDefinition, type DeviceMessage } from "@cairn/protocol";
import type { SpaceConnection } from "../connection.ts";
import { ServerTime } from "./server-time.ts";

export type DeviceCommand = {
  readonly kind: string;
  readonly data: CommandData;
  readonly lease: number;
  readonly command: number;
  /** Aborts when the device is to be safe or to stop: whatever goes on is to end at once. */
  readonly signal: AbortSignal;
};

export type DeviceHandlers = {
  /** Carries it out. When what it gives resolves it is done: a text is told the operator. What it throws is why it failed. */
  command(command: DeviceCommand): unknown;
  /**
   * Goes to safety, or stops. Resolves when that is done.
   * @param what `line`: nobody told so, but there is no server to be told by; it is the safe command then
   */
  secure(what: "safe" | "stop" | "line", kind: string, data: CommandData): Promise<void> | void;
  /** The server knows it, for the first time or again: commands can come. */
  connected?(): void;
  /** Somebody else is this device now: nothing more comes. */
  replaced?(): void;
  /** The server does not take this device; it goes on trying where that can help. */
  refused?(error: CairnError): void;
};

type ServeOptions = {
  /** Without a line for so long the device makes itself safe; default 2000. */
  lineMs?: number;
};

const AGAIN_MS = 2000;
/** Answers that wait for a line. */
const KEPT_ANSWERS = 64;

type Order = Extract<DeviceMessage, { type: "control.order" }>;
type Incoming = Extract<DeviceMessage, { type: "control.command" }>;

/** From here on the connection is this device, over its reconnects too, until `close()`. */
export function serveDevice(
  connection: SpaceConnection,
  definition: DeviceDefinition,
  handlers: DeviceHandlers,
  options: ServeOptions = {},
): ServedDevice {
  return new ServedDevice(connection, definition, handlers, options);
}

export class ServedDevice {
  readonly #connection: SpaceConnection;
  readonly #definition: DeviceDefinition;
  readonly #handlers: DeviceHandlers;
  readonly #lineMs: number;
  readonly #stops: (() => void)[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #away: ReturnType<typeof setTimeout> | undefined;
  #connected = false;
  #closed = false;
  /** What goes on: one for each command. */
  readonly #running = new Set<AbortController>();
  /** Numbers begin anew under another epoch. */
  #epoch: string | undefined;
  #last = { lease: 0, command: 0, order: 0 };
  #secured = 0;
  readonly #time = new ServerTime();
  #unsaid: Record<string, unknown>[] = [];

  /** Use {@link serveDevice}. */
  constructor(
    connection: SpaceConnection,
    definition: DeviceDefinition,
    handlers: DeviceHandlers,
    { lineMs = 2000 }: ServeOptions,
  ) {
    this.#connection = connection;
    this.#definition = definition;
    this.#handlers = handlers;
    this.#lineMs = lineMs;
    this.#stops = [
      connection.on("line", (open) => (open ? void this.#come() : this.#lose())),
      connection.on("control", (message) => this.#hear(message)),
    ];
    if (connection.open) void this.#come();
    else this.#lose();
  }

  /** The server knows it: commands can come. */
  get connected(): boolean {
    return this.#connected;
  }

  /** The device leaves. */
  close(): void {
    if (this.#closed) return;
    this.#end();
    this.#connection.tell({ type: "control.leave", device: this.#definition.device });
  }

  #end(): void {
    this.#closed = true;
    this.#connected = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#away);
    for (const stop of this.#stops) stop();
    this.#interrupt("the device left");
  }

  async #come(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const answer = await this.#connection.ask({ type: "control.connect", ...this.#definition }, { once: true });
      if (this.#closed) return;
      this.#time.reset();
      this.#time.heard(String(answer.serverNs), 0);
      if (this.#epoch !== undefined && answer.epoch !== this.#epoch) this.#forgetNumbers();
      this.#epoch = String(answer.epoch);
      clearTimeout(this.#away);
      this.#away = undefined;
      this.#connected = true;
      for (const message of this.#unsaid.splice(0)) this.#say(message);
      this.#handlers.connected?.();
    } catch (error) {
      if (this.#closed || !(error instanceof CairnError) || error.code === "live.away") return;
      this.#handlers.refused?.(error);
      // Devices that are in the way may go; what does not fit will not fit then.
      if (error.retry) this.#timer = setTimeout(() => void this.#come(), AGAIN_MS);
    }
  }

  #forgetNumbers(): void {
    this.#last = { lease: 0, command: 0, order: 0 };
    this.#secured = 0;
  }

  /** The line broke: it may be back in a moment, or the device is on its own. */
  #lose(): void {
    this.#connected = false;
    this.#away ??= setTimeout(() => {
      const { kind, data = {} } = this.#definition.safe;
      this.#interrupt("the line to the server is lost");
      // What fails here, at once or later, there is nobody to tell of.
      void (async () => this.#handlers.secure("line", kind, data))().catch(() => {});
    }, this.#lineMs);
  }

  #hear(message: DeviceMessage): void {
    if (message.device !== this.#definition.device) return;
    if (message.type === "control.command") void this.#command(message);
    else if (message.type === "control.order") void this.#order(message);
    else {
      this.#end();
      this.#handlers.replaced?.();
    }
  }

  async #command({ lease, command, kind, data, expiresNs, remainingMs }: Incoming): Promise<void> {
    const { lease: lastLease, command: lastCommand } = this.#last;
    // Repeated, or of somebody who does not hold the device any more.
    if (lease < lastLease || (lease === lastLease && command <= lastCommand)) return;
    this.#last = { ...this.#last, lease, command };
    const answer = { type: "control.answer", device: this.#definition.device, lease, command };
    this.#time.heard(expiresNs, remainingMs);
    const late = this.#time.passed(expiresNs);
    if (late) {
      this.#say({ ...answer, outcome: "failed", message: "too late" });
      // The device slept, or somebody set its clock: the server's time is asked for anew.
      if (late === "in doubt") void this.#come();
      return;
    }
    this.#say({ ...answer, outcome: "accepted" });
    const running = new AbortController();
    this.#running.add(running);
    const { signal } = running;
    try {
      const word = await this.#handlers.command({ kind, data, lease, command, signal });
      const message = typeof word === "string" ? { message: word.slice(0, 500) } : {};
      if (signal.aborted) this.#say({ ...answer, outcome: "failed", message: String(signal.reason.message) });
      else this.#say({ ...answer, outcome: "done", ...message });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#say({ ...answer, outcome: "failed", message: message.slice(0, 500) });
    } finally {
      this.#running.delete(running);
    }
  }

  async #order({ order, what, kind, data }: Order): Promise<void> {
    if (order > this.#last.order) {
      this.#last = { ...this.#last, order };
      this.#interrupt(what === "stop" ? "stopped" : "nobody steers the device");
      try {
        await this.#handlers.secure(what, kind, data);
        this.#secured = Math.max(this.#secured, order);
      } catch {
        // One that did not work is not acknowledged: it is told again when the device comes back, and tried again.
        if (this.#last.order === order) this.#last = { ...this.#last, order: order - 1 };
      }
    }
    if (this.#secured >= order) this.#say({ type: "control.secured", device: this.#definition.device, order });
  }

  #interrupt(why: string): void {
    for (const each of [...this.#running]) each.abort(new Error(why));
  }

  /** Now, or when there is a line again. */
  #say(message: Record<string, unknown> & { type?: unknown }): void {
    const { type, ...fields } = message;
    const said =
      this.#connected &&
      (type === "control.secured"
        ? this.#connection.tell({ type, ...fields })
        : this.#connection.tell({ type: "control.answer", ...fields }));
    if (said) return;
    this.#unsaid.push(message);
    this.#unsaid.splice(0, this.#unsaid.length - KEPT_ANSWERS);
  }
}
