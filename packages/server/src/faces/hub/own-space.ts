/**
 * The space of those that know of none: devices of older clients name no space, and what they show would be seen and gone.
 * From a source's first key picture on it is recorded into a space of the hub's own, which is made then, and becomes a
 * model like any other; so do its samples, and it is a device there. Rule KEY-12.
 */
import type { Space, VideoSource, VideoSources } from "@cairn/core";
import type { Device, Devices } from "./devices.ts";

export type OwnSpaceHouse = {
  readonly id: string;
  readonly video: Pick<VideoSources, "onPacket" | "source">;
  readonly devices: Devices;
  /** Makes it where it is not there. */
  readonly open: (id: string) => Promise<Space>;
  /** The device has a space from now on. */
  readonly joined: (device: Device, space: Space) => void;
  readonly onError: (error: unknown) => void;
};

export class OwnSpace {
  readonly #house: OwnSpaceHouse;
  /** Sources that record into it, while a device of theirs is there. */
  readonly #recording = new Map<string, { source: VideoSource | undefined; readonly space: Space }>();
  readonly #opening = new Set<string>();
  readonly #leave: () => void;

  constructor(house: OwnSpaceHouse) {
    this.#house = house;
    this.#leave = house.video.onPacket((source, { kind }) => {
      if (kind === "key") this.look(source.name);
    });
  }

  /** A device has come: where its source already records, all of it does. */
  add(device: Device): void {
    device.socket.signal.addEventListener("abort", () => this.#forget(device.source), { once: true });
    const recording = this.#recording.get(device.source);
    if (recording && device.space === undefined) this.#join(device, recording.space);
  }

  close(): void {
    this.#leave();
  }

  /** The source has shown something that can be decoded. */
  look(name: string): void {
    this.#addVideo(name);
    if (this.#opening.has(name) || !this.#mayRecord(name)) return;
    const { id, open, onError } = this.#house;
    this.#opening.add(name);
    open(id)
      .then((space) => this.#begin(name, space))
      .catch(onError)
      .finally(() => this.#opening.delete(name));
  }

  /** A source that records its single pictures already shows video as well. */
  #addVideo(name: string): void {
    const recording = this.#recording.get(name);
    const source = this.#house.video.source(name);
    if (!recording || !source?.keyframes || source.space !== undefined) return;
    source.space = recording.space.id;
    recording.source = source;
  }

  #mayRecord(name: string): boolean {
    const source = this.#house.video.source(name);
    if (source && (source.space !== undefined || !source.keyframes)) return false;
    return this.#homeless(name).length > 0;
  }

  /** What came since the key picture is in the source's group, and goes into the space with the next packet. */
  #begin(name: string, space: Space): void {
    if (!this.#mayRecord(name)) return;
    const source = this.#house.video.source(name);
    if (source) source.space = space.id;
    this.#recording.set(name, { source, space });
    for (const device of this.#homeless(name)) this.#join(device, space);
  }

  #join(device: Device, space: Space): void {
    device.space = space.id;
    this.#house.joined(device, space);
  }

  /** Its devices have gone: whoever is called so next says itself where it records, or shows something first. */
  #forget(name: string): void {
    const recording = this.#recording.get(name);
    if (!recording || this.#house.devices.of(name).some(({ space }) => space === recording.space.id)) return;
    this.#recording.delete(name);
    if (recording.source) recording.source.space = undefined;
  }

  #homeless(name: string): Device[] {
    return this.#house.devices.of(name).filter(({ space }) => space === undefined);
  }
}
