/**
 * Holding and steering a device: takes the lease, keeps it alive, numbers the commands and tells what became of each.
 * A command is sent now or never: one that found no connection is not sent when there is one again. Rules:
 * docs/spec/control.md.
 */
import {
  CairnError,
  type CairnEvent,
  type CommandData,
  type CommandState,
  type LeaseGrant,
  MISSED_HEARTBEATS,
} from "@cairn/protocol";
import type { SpaceConnection } from "../connection.ts";

type Outcome = CommandState["outcome"];

/** A command that is on its way. */
export class HeldCommand {
  readonly command: number;
  #state: { outcome: Outcome; message?: string } = { outcome: "sent" };
  #waiters: { until: "accepted" | "settled"; settle: () => void }[] = [];

  constructor(command: number) {
    this.command = command;
  }

  get outcome(): Outcome {
    return this.#state.outcome;
  }

  /** What the device said to it. */
  get message(): string | undefined {
    return this.#state.message;
  }

  get settled(): boolean {
    return this.outcome !== "sent" && this.outcome !== "accepted";
  }

  /**
   * Resolves with the outcome when the device has accepted it, or when it is known what became of it: `lost` when the
   * connection was closed before.
   */
  reached(until: "accepted" | "settled"): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#waiters.push({ until, settle: () => resolve(this.outcome) });
      this.#tell();
    });
  }

  /** Use {@link HeldDevice}. */
  set(state: { outcome: Outcome; message?: string | undefined }): void {
    const { outcome, message } = state;
    // What the device said may be heard before the answer that it was sent.
    if (this.settled || (outcome === "sent" && this.outcome === "accepted")) return;
    this.#state = { outcome, ...(message !== undefined && { message }) };
    this.#tell();
  }

  #tell(): void {
    this.#waiters = this.#waiters.filter(({ until, settle }) => {
      const here = this.settled || (until === "accepted" && this.outcome === "accepted");
      if (here) settle();
      return !here;
    });
  }
}

/**
 * Takes a device. @param wish `holder` is shown to everyone; `heartbeatMs`: a third of how long the lease outlives its
 * holder. @throws {CairnError} `control.held` with the `holder`, `control.device_missing`, `auth.forbidden`, `live.away`
 */
export async function holdDevice(
  connection: SpaceConnection,
  device: string,
  wish: { holder: string; heartbeatMs?: number },
): Promise<HeldDevice> {
  const grant = await connection.ask({ type: "control.take", device, ...wish }, { once: true });
  return new HeldDevice(connection, grant as LeaseGrant);
}

/** Stops a device, or all of the space: anyone may who watches. Sent again where the connection breaks. */
export async function stopDevices(
  connection: SpaceConnection,
  { device, by }: { device?: string; by?: string } = {},
): Promise<{ stopped: number; order: number }> {
  const names = { ...(device !== undefined && { device }), ...(by !== undefined && { by }) };
  const { stopped, order } = await connection.ask({ type: "control.stop", ...names });
  return { stopped: Number(stopped), order: Number(order) };
}

export class HeldDevice {
  readonly device: string;
  readonly lease: number;
  readonly holder: string;
  readonly #connection: SpaceConnection;
  readonly #grant: LeaseGrant;
  readonly #lost = new AbortController();
  readonly #commands = new Map<number, HeldCommand>();
  readonly #stops: (() => void)[];
  #next = 1;
  #heardMs = performance.now();

  /** Use {@link holdDevice}. */
  constructor(connection: SpaceConnection, grant: LeaseGrant) {
    this.#connection = connection;
    this.#grant = grant;
    this.device = grant.device;
    this.lease = grant.lease;
    this.holder = grant.holder;
    const beating = setInterval(() => void this.#beat(), grant.heartbeatMs);
    this.#stops = [
      () => clearInterval(beating),
      connection.on("event", (event) => this.#hear(event)),
      connection.on("state", (_state, { reset }) => {
        if (reset) this.#lookAgain();
      }),
      connection.on("status", (status) => {
        if (status === "closed") this.#cutOff();
      }),
    ];
  }

  /** Aborts when the lease is over: its reason says why. The device has been told to be safe, or is as soon as it can. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Sends a command. Resolves when it is in the space's log and has gone out, or waits for its turn.
   * @throws {CairnError} `control.…`, and `live.away`: nobody knows whether it arrived; look at the device's `commands`
   */
  async send(kind: string, data: CommandData = {}, { ttlMs }: { ttlMs?: number } = {}): Promise<HeldCommand> {
    this.lost.throwIfAborted();
    const command = new HeldCommand(this.#next++);
    this.#commands.set(command.command, command);
    const wish = { command: command.command, kind, data, ...(ttlMs !== undefined && { ttlMs }) };
    try {
      const state = await this.#ask("control.command", wish);
      this.#heardMs = performance.now();
      command.set({ outcome: state.outcome as Outcome });
    } catch (error) {
      this.#commands.delete(command.command);
      throw error;
    } finally {
      this.#forget();
    }
    return command;
  }

  /** Commands go again. @param order of the stop that was seen; left out: the one that the state shows */
  async clear(order = this.#connection.state.control?.devices[this.device]?.stopped?.order): Promise<void> {
    if (order === undefined) throw new CairnError("control.not_stopped");
    await this.#ask("control.clear", { order });
  }

  /** Lets it go; the device is told its safe command. Does nothing when it is lost. */
  async release(): Promise<void> {
    if (this.lost.aborted) return;
    this.#end(new CairnError("control.lease_ended", { reason: "released" }));
    await this.#connection.ask({ type: "control.release", ...this.#key() }).catch((error: unknown) => {
      if (!(error instanceof CairnError && error.code === "control.lease_ended")) throw error;
    });
  }

  async #beat(): Promise<void> {
    const { heartbeatMs } = this.#grant;
    if (performance.now() - this.#heardMs >= heartbeatMs * MISSED_HEARTBEATS) {
      this.#end(new CairnError("control.lease_ended", { reason: "the server was not heard of" }));
      return;
    }
    try {
      await this.#ask("control.keep", {});
      this.#heardMs = performance.now();
    } catch {
      // Without a connection the next ones may get through; that the lease is over was noted where it was heard.
    }
  }

  async #ask(type: "control.keep" | "control.clear" | "control.command", more: Record<string, unknown>) {
    try {
      return await this.#connection.ask({ type, ...this.#key(), ...more }, { once: true });
    } catch (error) {
      if (error instanceof CairnError && /^control\.(lease_ended|not_holder|device_missing)$/.test(error.code)) {
        this.#end(error);
      }
      throw error;
    }
  }

  #key() {
    const { device, lease, secret } = this.#grant;
    return { device, lease, secret };
  }

  #hear(event: CairnEvent): void {
    if (event.type === "control.answered" && event.data.lease === this.lease) {
      this.#commands.get(event.data.command)?.set(event.data);
    }
    if (event.type === "control.released" && event.data.lease === this.lease) {
      this.#end(new CairnError("control.lease_ended", { reason: event.data.reason }));
    }
  }

  /** The state was replaced: what was said meanwhile is in it. */
  #lookAgain(): void {
    const device = this.#connection.state.control?.devices[this.device];
    for (const state of device?.commands ?? []) {
      if (state.lease === this.lease && state.outcome !== "sent") this.#commands.get(state.command)?.set(state);
    }
    if (device?.lease?.lease !== this.lease) this.#end(new CairnError("control.lease_ended", { reason: "meanwhile" }));
  }

  /** The connection was closed: nobody will hear what becomes of what is on its way. */
  #cutOff(): void {
    for (const each of this.#commands.values()) each.set({ outcome: "lost", message: "the connection was closed" });
    this.#end(new CairnError("control.lease_ended", { reason: "the connection was closed" }));
  }

  /** Commands whose end is known are not looked after any more. */
  #forget(): void {
    for (const [number, { settled }] of this.#commands) if (settled) this.#commands.delete(number);
  }

  /** What is still to be heard of commands is heard; their ends come after the lease's. */
  #end(reason: CairnError): void {
    if (this.lost.aborted) return;
    this.#lost.abort(reason);
    this.#stops[0]!();
    const stop = () => {
      for (const each of this.#stops) each();
    };
    const open = [...this.#commands.values()].filter(({ settled }) => !settled);
    void Promise.all(open.map((each) => each.reached("settled"))).then(stop);
  }
}
