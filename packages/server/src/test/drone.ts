/** For tests: a device on the live socket, which says what it is told to say. */
import type { CommandData, DeviceDefinition, ServerMessage } from "@cairn/protocol";
import { RawClient } from "./live-door.ts";

export const DRONE: DeviceDefinition = {
  device: "drone",
  kinds: {
    hover: { properties: {} },
    land: { properties: {} },
    move: { properties: { x: { type: "number", minimum: -1, maximum: 1 } }, required: ["x"] },
  },
  safe: { kind: "hover" },
  stop: { kind: "land" },
  ttlMs: 60_000,
};

type Told = Extract<ServerMessage, { type: `control.${string}` }>;

export class Drone {
  readonly socket: RawClient;

  private constructor(socket: RawClient) {
    this.socket = socket;
  }

  /** Resolves when it is known in its space. @param url of a live socket */
  static async come(url: string, definition: DeviceDefinition = DRONE, protocols?: string[]): Promise<Drone> {
    const socket = new RawClient(url, protocols && { protocols });
    await new Promise<void>((resolve, reject) => {
      socket.ws.once("open", resolve);
      socket.ws.once("error", reject);
    });
    const drone = new Drone(socket);
    socket.send({ type: "hello", version: 1 });
    await ask(socket, { type: "control.connect", id: "come", ...definition });
    return drone;
  }

  get told(): Told[] {
    return this.socket.messages.filter((message): message is Told => message.type.startsWith("control."));
  }

  /** What it was told, short: `move 1`, `safe`, `stop`. */
  get words(): string[] {
    return this.told.map((message) => {
      if (message.type === "control.command") return `${message.kind} ${message.command}`;
      return message.type === "control.order" ? message.what : "replaced";
    });
  }

  /** Resolves when it was told so much. */
  hears(count: number): Promise<string[]> {
    return this.socket.until(() => (this.words.length >= count ? this.words : undefined));
  }

  says(outcome: "accepted" | "done" | "failed", lease: number, command: number): void {
    this.socket.send({ type: "control.answer", device: "drone", lease, command, outcome });
  }
}

export type Answer = { result?: Record<string, string | number | boolean>; code?: string; facts?: CommandData };

/** What a message with an id is answered with; a refusal as its code. */
export async function ask(
  socket: RawClient,
  message: Readonly<Record<string, unknown>> & { id: string },
): Promise<Answer> {
  const answers = () =>
    socket.messages.filter(
      (each) => (each.type === "answer" || each.type === "error") && "id" in each && each.id === message.id,
    );
  const before = answers().length;
  socket.send(message);
  const answer = await socket.until(() => answers()[before]);
  if (answer.type === "answer") return { result: answer.result };
  if (answer.type === "error") return { code: answer.error.code, facts: answer.error.facts };
  throw new Error(answer.type);
}
