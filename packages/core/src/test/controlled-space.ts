/** For tests: a space whose devices are steered, by a clock that a test moves and on a disk that it can hold up. */
import type { TestContext } from "node:test";
import type { CairnEvent, DeviceDefinition, DeviceMessage, DeviceState } from "@cairn/protocol";
import type { ControlClock } from "../control/control-clock.ts";
import { SpaceControl } from "../control/space-control.ts";
import { openSegmentFile } from "../log/segment.ts";
import { type FileSpace, openFileSpaces } from "../space/file-spaces.ts";
import { afterwards, temporaryFolder } from "./fixtures.ts";
import { readAll } from "./log.contract.ts";

/** Stands still until it is moved; what is due by then runs in order. */
export class ManualClock implements ControlClock {
  #nowNs = 1_750_000_000_000_000_000n;
  #steadyNs = 5_000_000_000n;
  #tasks: { atNs: bigint; task: () => void }[] = [];

  nowNs(): bigint {
    return this.#nowNs;
  }

  steadyNs(): bigint {
    return this.#steadyNs;
  }

  after(delayMs: number, task: () => void): () => void {
    const entry = { atNs: this.#steadyNs + BigInt(Math.ceil(delayMs * 1e6)), task };
    this.#tasks.push(entry);
    return () => {
      this.#tasks = this.#tasks.filter((each) => each !== entry);
    };
  }

  pass(ms: number): void {
    const endNs = this.#steadyNs + BigInt(ms) * 1_000_000n;
    for (;;) {
      const due = this.#tasks.filter(({ atNs }) => atNs <= endNs).sort((a, b) => Number(a.atNs - b.atNs))[0];
      if (!due) break;
      this.#move(due.atNs);
      this.#tasks = this.#tasks.filter((each) => each !== due);
      due.task();
    }
    this.#move(endNs);
  }

  /** Somebody sets the server's clock. */
  jump(ms: number): void {
    this.#nowNs += BigInt(ms) * 1_000_000n;
  }

  /** Time passes in which nothing could run: the process was held up. */
  stall(ms: number): void {
    this.#move(this.#steadyNs + BigInt(ms) * 1_000_000n);
  }

  #move(steadyNs: bigint): void {
    if (steadyNs <= this.#steadyNs) return;
    this.#nowNs += steadyNs - this.#steadyNs;
    this.#steadyNs = steadyNs;
  }
}

export const DRONE: DeviceDefinition = {
  device: "drone",
  kinds: {
    hover: { properties: {} },
    land: { properties: {} },
    move: {
      properties: {
        x: { type: "number", minimum: -1, maximum: 1 },
        y: { type: "number", minimum: -1, maximum: 1 },
        how: { type: "string", enum: ["slow", "fast"] },
      },
      required: ["x"],
    },
  },
  safe: { kind: "hover" },
  stop: { kind: "land" },
  ttlMs: 1000,
  doneMs: 5000,
};

/** Keeps what it is told. */
export class TestDevice {
  readonly told: DeviceMessage[] = [];
  gone = 0;

  readonly link = {
    deliver: (message: DeviceMessage) => void this.told.push(message),
    replaced: () => void this.gone++,
  };

  /** What it was told, short: `move 1`, `safe`, `stop`. */
  get words(): string[] {
    return this.told.map((message) => {
      if (message.type === "control.command") return `${message.kind} ${message.command}`;
      return message.type === "control.order" ? message.what : "replaced";
    });
  }

  /** Number of the last order. */
  get order(): number {
    return this.told.findLast((message) => message.type === "control.order")!.order;
  }
}

export type ControlledSpace = {
  readonly clock: ManualClock;
  control: SpaceControl;
  space: FileSpace;
  /** What went wrong where nobody waited. */
  readonly errors: unknown[];
  /** From now on the disk takes nothing, until it is let go. */
  hold(): void;
  letGo(): void;
  /** The disk refuses, until `undefined`. */
  failing: Error | undefined;
  device(name?: string): DeviceState;
  /** The `control.*` events, short: `sent`, `answered done`. */
  journal(): Promise<string[]>;
  events(): Promise<CairnEvent[]>;
  /** As after a kill: nothing is said to anyone, and the log is opened again. */
  restart(): Promise<void>;
};

export async function controlledSpace(t: TestContext): Promise<ControlledSpace> {
  const folder = await temporaryFolder(t);
  const clock = new ManualClock();
  const errors: unknown[] = [];
  let held: Promise<void> | undefined;
  let letGo = () => {};
  const open = () =>
    openFileSpaces(folder, {
      onError: (_context, error) => errors.push(error),
      log: {
        now: () => clock.nowNs(),
        openSegment: async (path) => {
          const file = await openSegmentFile(path);
          return {
            ...file,
            async write(bytes, offset) {
              await held;
              if (made.failing) throw made.failing;
              await file.write(bytes, offset);
            },
            // What the machine's memory holds is enough: no test here cuts its power.
            sync: () => Promise.resolve(),
          };
        },
      },
    });
  let spaces = await open();
  afterwards(t, () => spaces.close());
  const start = async () => {
    made.space = spaces.all[0] ?? ((await spaces.create({ id: "place" })) as FileSpace);
    made.control = new SpaceControl(made.space, clock, (error) => errors.push(error));
  };
  const made = {
    clock,
    errors,
    failing: undefined as Error | undefined,
    hold() {
      held ??= new Promise((resolve) => {
        letGo = resolve;
      });
    },
    letGo() {
      held = undefined;
      letGo();
    },
    device: (name = "drone") => made.space.log.snapshot().state.control!.devices[name]!,
    async events() {
      // What was said without anybody waiting for it is in the log before what comes after.
      await made.space.rename("everything before is there");
      return (await readAll(made.space.log)).filter(({ type }) => type.startsWith("control."));
    },
    async journal() {
      return (await made.events()).map(({ type, data }) => {
        const word =
          "outcome" in data ? data.outcome : "reason" in data ? data.reason : "code" in data ? data.code : "";
        return `${type.slice("control.".length)} ${word}`.trim();
      });
    },
    async restart() {
      await spaces.close();
      spaces = await open();
      await start();
    },
  } as ControlledSpace;
  await start();
  return made;
}
