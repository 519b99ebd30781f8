/**
 * What becomes of a space that a source records into: its poses and its points, told to viewers as they come (HUB-37,
 * HUB-41, HUB-81). A cursor over the space's log for as long as somebody records.
 */
import { EXPORT_FORMATS, exportName, type Space } from "@cairn/core";
import { CairnError, type CairnEvent, type EventData, type Id, type TimeNs } from "@cairn/protocol";
import { type ExportHouse, exportSources } from "../../routes/exports.ts";
import { cameraMatrix } from "./camera-matrix.ts";
import type { HubOutlet } from "./house.ts";
import { INLINE_PLY_BYTES, plyUpdate, trajectoryUpdate } from "./viewer-messages.ts";
import type { Viewers } from "./viewers.ts";

/** Poses of a model that is not shown yet. */
const MOST_POSES = 10_000;

export type ModelsHouse = {
  readonly context: ExportHouse;
  readonly viewers: Viewers;
  readonly outlets: Iterable<HubOutlet>;
  onError(error: unknown): void;
};

type Followed = { readonly stop: AbortController; readonly sources: string[] };

export class Models {
  readonly #house: ModelsHouse;
  readonly #followed = new Map<Space, Followed>();

  constructor(house: ModelsHouse) {
    this.#house = house;
  }

  /** Tells of a space while `recording` has not aborted. */
  follow(source: string, space: Space, recording: AbortSignal): void {
    if (recording.aborted || space.signal.aborted) return;
    const known = this.#followed.get(space);
    const followed = known ?? { stop: new AbortController(), sources: [] };
    followed.sources.push(source);
    const leave = () => {
      followed.sources.splice(followed.sources.indexOf(source), 1);
      if (followed.sources.length > 0) return;
      followed.stop.abort();
      if (this.#followed.get(space) === followed) this.#followed.delete(space);
    };
    recording.addEventListener("abort", leave, { once: true });
    if (known) return;
    this.#followed.set(space, followed);
    this.#run(space, followed).catch((error: unknown) => {
      if (!followed.stop.signal.aborted && !space.signal.aborted) this.#house.onError(error);
    });
  }

  close(): void {
    for (const { stop } of this.#followed.values()) stop.abort();
    this.#followed.clear();
  }

  async #run(space: Space, { stop, sources }: Followed): Promise<void> {
    const signal = AbortSignal.any([stop.signal, space.signal]);
    const teller = new Teller(this.#house, space, signal);
    for await (const events of space.log.follow(space.log.head, { signal })) {
      // Several may record into one space; whose camera it was is not in its log.
      for (const event of events) await teller.take(event, sources.at(-1) ?? "");
    }
  }
}

class Teller {
  readonly #house: ModelsHouse;
  readonly #space: Space;
  readonly #signal: AbortSignal;
  /** Poses of a generation that is being filled: they are in a frame of their own until it is shown. */
  #next: { generation: number; poses: [EventData<"camera.posed">, TimeNs][] } | undefined;

  constructor(house: ModelsHouse, space: Space, signal: AbortSignal) {
    this.#house = house;
    this.#space = space;
    this.#signal = signal;
  }

  async take(event: CairnEvent, source: string): Promise<void> {
    switch (event.type) {
      case "generation.started":
        this.#next = { generation: event.data.generation, poses: [] };
        return;
      case "camera.posed":
        if (event.data.generation !== this.#next?.generation) this.#pose(event.data, event.timeNs, source);
        else if (this.#next.poses.length < MOST_POSES) this.#next.poses.push([event.data, event.timeNs]);
        return;
      case "generation.published":
        for (const [posed, timeNs] of this.#next?.poses ?? []) this.#pose(posed, timeNs, source);
        this.#next = undefined;
        await this.#points(event.timeNs, source).catch((error: unknown) => {
          const isEmpty = error instanceof CairnError && error.code === "export.empty";
          if (!isEmpty && !this.#signal.aborted) this.#house.onError(error);
        });
        return;
      default:
        return;
    }
  }

  #pose({ image, pose }: { image: Id; pose: EventData<"camera.posed">["pose"] }, timeNs: TimeNs, source: string): void {
    const { viewers, outlets } = this.#house;
    const taken = this.#space.log.snapshot().state.images[image]?.capturedNs ?? timeNs;
    const matrix = JSON.stringify(cameraMatrix(pose));
    const text = `{"timestamp_ns":${taken},"pose":${matrix}}`;
    viewers.tell(trajectoryUpdate(text, source), source);
    for (const outlet of outlets) outlet.trajectory?.(text);
  }

  async #points(timeNs: TimeNs, source: string): Promise<void> {
    const { context, viewers, outlets } = this.#house;
    const wanting = [...outlets].filter(({ ply }) => ply !== undefined);
    if (viewers.count === 0 && wanting.length === 0) return;
    let sizeBytes = 0;
    const onSize = (size: number) => {
      sizeBytes = size;
    };
    const options = { ...exportSources(context, this.#space), signal: this.#signal, onSize };
    const pieces: Uint8Array[] = [];
    for await (const piece of EXPORT_FORMATS.ply.write(options)) {
      // The first piece comes after the size: what nobody is sent is not read on.
      if (sizeBytes > INLINE_PLY_BYTES && wanting.length === 0) break;
      pieces.push(piece);
    }
    const name = exportName(this.#space.id, "ply");
    const bytes = Buffer.concat(pieces);
    const inline = sizeBytes <= INLINE_PLY_BYTES ? bytes : undefined;
    viewers.tell(plyUpdate({ name, sizeBytes, timeNs, source, inline }), source);
    for (const { ply } of wanting) ply?.(name, bytes);
  }
}
