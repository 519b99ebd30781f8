/** Who takes commands: phones and producers of video that are connected now. Nothing waits for those who are not (HUB-49). */
import type { FaceSocket } from "../face-socket.ts";

export type Device = {
  readonly kind: "phone" | "video";
  readonly socket: FaceSocket;
  readonly source: string;
  /** What it shows may become photos of its space. */
  readonly keyframes: boolean;
  /** Where it records: as it says, or as the hub does for those that know of none. */
  space: string | undefined;
};

export class Devices {
  readonly #devices = new Set<Device>();

  /** Until its socket is over. */
  add(device: Device): void {
    if (device.socket.signal.aborted) return;
    this.#devices.add(device);
    device.socket.signal.addEventListener("abort", () => this.#devices.delete(device), { once: true });
  }

  count(kind: Device["kind"]): number {
    let count = 0;
    for (const device of this.#devices) if (device.kind === kind) count++;
    return count;
  }

  /** Whether anyone is connected for a source. */
  has(source: string): boolean {
    return [...this.#devices].some((device) => device.source === source);
  }

  /** Those that are connected now, in the order in which they came. @param source left out: of all */
  of(source?: string): Device[] {
    return [...this.#devices].filter((device) => source === undefined || device.source === source);
  }
}
