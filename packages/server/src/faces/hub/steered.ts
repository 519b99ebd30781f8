/**
 * The hub's devices as devices of their spaces (docs/spec/control.md): who records into a space can be held and stopped
 * there like any other, in the words of the hub's contract, and never acknowledges. Commands of viewers go on beside
 * that, as they come, while nobody holds the device and no stop stands (CTL-16).
 */
import type { DeviceSession, Space, SpaceControl } from "@cairn/core";
import {
  CairnError,
  type CommandData,
  type CommandKind,
  type DeviceDefinition,
  type DeviceMessage,
} from "@cairn/protocol";
import type { Device, Devices } from "./devices.ts";

const one = { type: "number", minimum: -1, maximum: 1 } as const;
const action = { properties: { action: { type: "string" } } } as const satisfies CommandKind;

/** What the contract names of commands (HUB-46). */
export const HUB_KINDS: Readonly<Record<string, CommandKind>> = {
  movement: { properties: { x: one, y: one } },
  rotation: { properties: { yaw: one, z: one } },
  camera: action,
  flightmode: action,
  flight_mode: action,
};
/** Nothing moves and nothing turns: both go out for an order, whichever it is. */
const STILL = [
  { kind: "movement", data: { x: 0, y: 0 } },
  { kind: "rotation", data: { yaw: 0, z: 0 } },
] as const;
const COMMAND_MS = 1000;
/** A space that has no room for the device now may have some later. */
const AGAIN_MS = 5000;

const MEMBER = /^[A-Za-z0-9_.-]{1,32}$/;
const KIND = /^[A-Za-z0-9_.:-]{1,64}$/;

export type SteeredHouse = {
  readonly devices: Devices;
  readonly controlOf: (space: Space) => SpaceControl;
  readonly nowNs: () => bigint;
  onError(error: unknown): void;
};

/** One source in one space, while any of its sockets is there. */
type Source = {
  readonly control: SpaceControl;
  sockets: number;
  session?: DeviceSession;
  again?: NodeJS.Timeout;
};

export class SteeredSources {
  readonly #house: SteeredHouse;
  readonly #sources = new Map<string, Source>();

  constructor(house: SteeredHouse) {
    this.#house = house;
  }

  /** A socket of the source is there until `signal` aborts. */
  join(name: string, space: Space, signal: AbortSignal): void {
    if (signal.aborted || space.signal.aborted) return;
    const key = keyOf(space.id, name);
    const known = this.#sources.get(key);
    const source = known ?? { control: this.#house.controlOf(space), sockets: 0 };
    source.sockets++;
    signal.addEventListener("abort", () => this.#leave(key, source), { once: true });
    if (known) return;
    this.#sources.set(key, source);
    void this.#connect(key, name, space.id, source);
  }

  /** Sends a command of a viewer on, the same text to each device that may have it. @returns why others may not */
  relay(devices: readonly Device[], kind: string, fields: Readonly<Record<string, unknown>>, text: Buffer): string[] {
    const refusals = new Map<string, string | undefined>();
    for (const device of devices) {
      const key = keyOf(device.space ?? "", device.source);
      if (!refusals.has(key)) refusals.set(key, this.#refusal(key, device.source, kind, fields));
      if (refusals.get(key) === undefined) device.socket.reply(text);
    }
    return [...refusals.values()].filter((refusal) => refusal !== undefined);
  }

  #refusal(key: string, name: string, kind: string, fields: Readonly<Record<string, unknown>>): string | undefined {
    const source = this.#sources.get(key);
    try {
      source?.control.relay(name, KIND.test(kind) ? kind : "other", scalarsOf(fields), "viewer of the hub");
      return undefined;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "control.held") return `Device ${name} is held by ${error.facts.holder}`;
      return `Device ${name} is stopped`;
    }
  }

  async #connect(key: string, name: string, space: string, source: Source): Promise<void> {
    const definition: DeviceDefinition = {
      device: name,
      kinds: { ...HUB_KINDS },
      safe: STILL[0],
      ttlMs: COMMAND_MS,
      silent: true,
    };
    try {
      const session = await source.control.connect(definition, {
        deliver: (message) => this.#deliver(name, space, message),
        replaced: () => {},
      });
      if (this.#sources.get(key) === source) source.session = session;
      else session.end();
    } catch (error) {
      if (!(error instanceof CairnError)) return this.#house.onError(error);
      if (!error.retry || this.#sources.get(key) !== source) return;
      source.again = setTimeout(() => void this.#connect(key, name, space, source), AGAIN_MS).unref();
    }
  }

  #leave(key: string, source: Source): void {
    source.sockets--;
    if (source.sockets > 0) return;
    if (this.#sources.get(key) === source) this.#sources.delete(key);
    clearTimeout(source.again);
    source.session?.end();
  }

  #deliver(name: string, space: string, message: DeviceMessage): void {
    if (message.type === "control.replaced") return;
    const commands = message.type === "control.order" ? STILL : [message];
    const devices = this.#house.devices.of(name).filter((device) => device.space === space);
    for (const { kind, data } of commands) {
      const timestamp = String(this.#house.nowNs());
      const text = Buffer.from(JSON.stringify({ type: kind, ...data, timestamp }));
      for (const { socket } of devices) socket.reply(text);
    }
  }
}

function keyOf(space: string, source: string): string {
  return `${space}\n${source}`;
}

/** What of a free command fits into the log. */
function scalarsOf(fields: Readonly<Record<string, unknown>>): CommandData {
  const data: CommandData = {};
  for (const [name, value] of Object.entries(fields)) {
    if (Object.keys(data).length === 32) break;
    if (name === "type" || !MEMBER.test(name)) continue;
    if (typeof value === "string") data[name] = value.slice(0, 1000);
    else if (typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value))) data[name] = value;
  }
  return data;
}
