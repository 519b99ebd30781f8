/** Steering over one live socket: it may be an operator, a device or several, and anyone who stops. Rules: CTL. */
import type { DeviceSession, SpaceControl } from "@cairn/core";
import { CairnError, type ControlMessage, type EventData, type ServerMessage } from "@cairn/protocol";
import type { Role } from "../http/access.ts";

type Answer = Record<string, string | number | boolean>;
type What = EventData<"control.refused">["what"];

export type LiveControlOptions = {
  readonly control: SpaceControl;
  /** Of the space's log: under another, numbers of leases and orders begin anew. */
  readonly epoch: string;
  /** The server's time, for devices that have to know when a command is too old. */
  readonly nowNs: () => bigint;
  readonly may: (role: Role) => boolean;
  readonly send: (message: ServerMessage) => void;
  /** Does it once for an id, also where the socket breaks before the answer, and answers. */
  readonly once: (id: string, request: string, work: () => Promise<Answer>) => Promise<void>;
};

/** What a refused message is called in the log; a stop is never refused for who it is from. */
const WHAT: Readonly<Record<string, What>> = {
  "control.take": "take",
  "control.keep": "keep",
  "control.release": "release",
  "control.command": "command",
  "control.clear": "clear",
  "control.connect": "register",
  "control.answer": "answer",
  "control.secured": "secured",
};
const STOP_BYTES = 512;
const STOP = Buffer.from('{"type":"control.stop"');
const MOST_DEVICES = 16;

export class LiveControl {
  readonly #options: LiveControlOptions;
  /** Devices that this socket is. */
  readonly #devices = new Map<string, DeviceSession>();
  #closed = false;

  constructor(options: LiveControlOptions) {
    this.#options = options;
  }

  /** Does as asked with a message of whatever type; one to steer that is refused is noted down (CTL-14). */
  judged<T>(fields: Readonly<Record<string, unknown>>, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const what = WHAT[String(fields.type)];
      if (what && error instanceof CairnError) {
        const { device, lease, command, holder } = fields;
        this.#options.control.refused(
          {
            what,
            ...(typeof device === "string" && { device }),
            ...(typeof holder === "string" && { by: holder }),
            ...(Number.isSafeInteger(lease) && { lease: Number(lease) }),
            ...(Number.isSafeInteger(command) && { command: Number(command) }),
          },
          error,
        );
      }
      throw error;
    }
  }

  /** @param text the message as it came */
  async take(message: ControlMessage, text: string): Promise<void> {
    const { control, may, once } = this.#options;
    if (message.type === "control.stop") {
      const stops = await control.stop(message.device, message.by);
      this.#answer(message.id, { stopped: stops.length, order: Math.max(0, ...stops.map(({ order }) => order)) });
      return;
    }
    this.judged(message, () => {
      if (!may("operate")) throw new CairnError("auth.forbidden");
    });
    switch (message.type) {
      case "control.take":
        return once(message.id, text, () => control.take(message.device, message));
      case "control.keep":
        this.#answer(message.id, await control.keep(message.device, message));
        return;
      case "control.release":
        return once(message.id, text, async () => {
          await control.release(message.device, message);
          return { device: message.device };
        });
      case "control.clear":
        return once(message.id, text, async () => {
          await control.clear(message.device, message, message.order);
          return { device: message.device, order: message.order };
        });
      case "control.command": {
        // Its own number says whether it was done before.
        const sent = await control.send(message.device, message, message);
        if (message.until && message.until !== "sent") await sent.reached(message.until);
        this.#answer(message.id, sent.state);
        return;
      }
      case "control.connect":
        return this.#connect(message);
      case "control.answer":
        this.#device(message).answer(message);
        return;
      case "control.secured":
        this.#device(message).secured(message.order);
        return;
      case "control.leave":
        this.#devices.get(message.device)?.end();
        this.#devices.delete(message.device);
        return;
    }
  }

  /** The devices that this socket was have gone. */
  close(): void {
    this.#closed = true;
    for (const session of this.#devices.values()) session.end();
    this.#devices.clear();
  }

  async #connect({ type: _, id, ...definition }: Extract<ControlMessage, { type: "control.connect" }>): Promise<void> {
    const { control, epoch, nowNs, send } = this.#options;
    const { device } = definition;
    if (this.#devices.size >= MOST_DEVICES && !this.#devices.has(device)) {
      throw new CairnError("control.too_many_devices", { most: MOST_DEVICES });
    }
    let replaced = false;
    let session: DeviceSession | undefined;
    // The answer comes first: it says under which epoch what follows is numbered.
    let early: ServerMessage[] | undefined = [];
    // Coming anew over the same socket it replaces itself, which nobody needs to be told.
    const before = this.#devices.get(device);
    this.#devices.delete(device);
    try {
      session = await control.connect(definition, {
        deliver: (message) => {
          if (early) early.push(message);
          else send(message);
        },
        replaced: () => {
          replaced = true;
          if (session === undefined || this.#devices.get(device) !== session) return;
          this.#devices.delete(device);
          send({ type: "control.replaced", device });
        },
      });
    } catch (error) {
      if (before) this.#devices.set(device, before);
      throw error;
    }
    if (this.#closed || replaced) {
      session.end();
      return;
    }
    this.#devices.set(device, session);
    this.#answer(id, { device, epoch, serverNs: String(nowNs()) });
    for (const message of early) send(message);
    early = undefined;
  }

  /** What is said for a device that this socket is not is forged. */
  #device(message: Extract<ControlMessage, { type: "control.answer" | "control.secured" }>): DeviceSession {
    return this.judged(message, () => {
      const session = this.#devices.get(message.device);
      if (!session) throw new CairnError("control.device_missing", { device: message.device });
      return session;
    });
  }

  #answer(id: string, result: Answer): void {
    this.#options.send({ type: "answer", id, result });
  }
}

/** A short message that says stop, by its first letters: it need not be read to be seen. */
export function isStop(data: Buffer): boolean {
  return data.length <= STOP_BYTES && data.subarray(0, STOP.length).equals(STOP);
}
