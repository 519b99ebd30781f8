/** Steering in every space: one `SpaceControl` each, from when its space opens to when it ends. */
import type { Space, Spaces } from "../space/spaces.ts";
import type { ControlClock } from "./control-clock.ts";
import { ControlTotals } from "./control-totals.ts";
import { SpaceControl } from "./space-control.ts";

export class Controls {
  readonly totals = new ControlTotals();
  readonly #clock: ControlClock;
  readonly #onError: (context: string, error: unknown) => void;
  readonly #spaces = new Map<Space, SpaceControl>();

  constructor(clock: ControlClock, onError: (context: string, error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** From here on, what a server that ended left open is ended as soon as its space opens. */
  attach(spaces: Pick<Spaces, "onOpen">): void {
    spaces.onOpen((space) => {
      if (space.log.snapshot().state.control) this.of(space);
    });
  }

  of(space: Space): SpaceControl {
    const known = this.#spaces.get(space);
    if (known) return known;
    const onError = (error: unknown) => this.#onError(`control in ${space.id}`, error);
    const control = new SpaceControl(space, this.#clock, onError, this.totals);
    this.#spaces.set(space, control);
    const end = () => {
      this.#spaces.delete(space);
      void control.close();
    };
    if (space.signal.aborted) end();
    else space.signal.addEventListener("abort", end, { once: true });
    return control;
  }

  /** How many devices are there, are held, and are stopped, in all spaces that are open. */
  now(): { devices: number; leases: number; stopped: number } {
    const sum = { devices: 0, leases: 0, stopped: 0 };
    for (const control of this.#spaces.values()) {
      const { devices, leases, stopped } = control.now();
      sum.devices += devices;
      sum.leases += leases;
      sum.stopped += stopped;
    }
    return sum;
  }

  /** Devices are told to be safe, while their connections are still there. */
  async close(): Promise<void> {
    await Promise.all([...this.#spaces.values()].map((control) => control.close()));
  }
}
