/** Every open space gets its reconstruction; they take turns at the processor. */
import type { Preset, SpaceId } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol";
import { DECODE_SIDE_PX, type Engine, type EngineCache } from "@cairn/reconstruct";
import type { Core } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import type { PhotoSource } from "./replay.ts";
import { SpaceReconstructor } from "./space-reconstructor.ts";
import { openTurns } from "./turn.ts";

/** Bytes → upright pixels; `@cairn/images` has the one that survives hostile files. */
export type Decode = (
  bytes: Uint8Array,
  options: { maxSidePx: number; signal?: AbortSignal },
) => Promise<{ rgb: Uint8Array; widthPx: number; heightPx: number; fullWidthPx: number; fullHeightPx: number }>;

/** What the engine of a space is opened with. */
export type EngineOptions = {
  readonly preset: Preset;
  readonly cache: EngineCache;
  /** Where disk may stand in for memory; left out: where the engine likes. */
  readonly scratchDir?: string;
};

export type ReconstructorOptions = {
  core: Core;
  decode: Decode;
  openEngine: (options: EngineOptions) => Promise<Engine>;
  cache: EngineCache;
  scratchDir?: string;
  /** Quiet time after the last photo before everything is refined once more. */
  settleMs?: number;
  /** Quiet time after which a space's engine is let go; the log brings it back. */
  idleMs?: number;
  /** Keyframes of a live stream do not wait for a rebuild that takes longer than this. */
  followMs?: number;
  onError: (error: unknown, about: string) => void;
};

export type Reconstructor = {
  /** Starts a rebuild; resolves with its operation. @throws {CairnError} `export.empty`, `space.missing`, `store.…` */
  rebuild(space: SpaceId): Promise<string>;
  /**
   * Shows an earlier generation again; resolves with its new number.
   * @throws {CairnError} `generation.missing`, `generation.gone`, `space.missing`
   */
  restore(space: SpaceId, generation: number): Promise<number>;
  /** Stops the work; what is not done goes on after the next start. */
  close(): Promise<void>;
};

export function startReconstructor(options: ReconstructorOptions): Reconstructor {
  const { core, decode, openEngine, cache, scratchDir, settleMs = 1500, idleMs = 60_000 } = options;
  const { followMs = 1000, onError } = options;
  const stopping = new AbortController();
  const turn = openTurns();
  /** Not by their ids: one that was deleted may be made again while the engine of the old one still closes. */
  const running = new Map<Space, { reconstructor: SpaceReconstructor; ended: Promise<void> }>();

  const photoOf: PhotoSource = async (image, signal) => ({
    image: image.image,
    name: image.name,
    digest: image.blob,
    ...(await decode(await core.blobs.get(image.blob), { maxSidePx: DECODE_SIDE_PX, signal })),
    ...(image.camera && { camera: image.camera }),
    ...(image.focalPx !== undefined && { focalPx: image.focalPx }),
    ...(image.gps && { gps: image.gps }),
    ...(image.gravity && { gravity: image.gravity }),
  });

  function attach(space: Space): void {
    if (stopping.signal.aborted || running.has(space)) return;
    const signal = AbortSignal.any([stopping.signal, space.signal]);
    const reconstructor = new SpaceReconstructor({
      space,
      blobs: core.blobs,
      layers: core.layers,
      motionLog: core.motionLog,
      openEngine: (preset) => openEngine({ cache, preset, ...(scratchDir !== undefined && { scratchDir }) }),
      photoOf,
      turn,
      signal,
      settleMs,
      idleMs,
      followMs,
      onError,
    });
    const ended = reconstructor.run().finally(() => running.delete(space));
    running.set(space, { reconstructor, ended });
  }

  core.spaces.onOpen(attach);
  core.layers.onLost((space) => {
    // Without a model there is nothing to lose; one that is being stopped is rebuilt after the next start.
    running
      .get(space)
      ?.reconstructor.rebuild()
      .catch((error: unknown) => onError(error, `rebuild of ${space.id}`));
  });

  async function at(id: SpaceId): Promise<SpaceReconstructor> {
    const found = running.get(await core.spaces.open(id));
    if (!found) throw new CairnError("server.stopping");
    return found.reconstructor;
  }

  return {
    rebuild: async (id) => (await at(id)).rebuild(),
    restore: async (id, generation) => (await at(id)).restore(generation),
    async close() {
      stopping.abort(new CairnError("server.stopping"));
      await Promise.allSettled([...running.values()].map(({ ended }) => ended));
    },
  };
}
