/** For tests: a core with a reconstruction over an engine of the test's own, photos without pictures, and waiting. */
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import type { CairnEvent, Gps, SpaceState } from "@cairn/protocol";
import type { Engine } from "@cairn/reconstruct";
import { type Core, openCore } from "../core.ts";
import type { SpaceLogOptions } from "../log/file-space-log.ts";
import { type Reconstructor, startReconstructor } from "../reconstruct/reconstructor.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards } from "./fixtures.ts";

export type World<E extends Engine> = {
  core: Core;
  reconstructor: Reconstructor;
  engines: E[];
  errors: unknown[];
  close(): Promise<void>;
};

export async function reconstructed<E extends Engine>(
  t: TestContext,
  dataDir: string,
  make: () => E,
  settleMs = 60_000,
  log: SpaceLogOptions = {},
): Promise<World<E>> {
  const core = await openCore({ dataDir, log });
  const engines: E[] = [];
  const errors: unknown[] = [];
  const reconstructor = startReconstructor({
    core,
    settleMs,
    cache: { get: async () => undefined, put: async () => {} },
    decode: async () => ({ rgb: new Uint8Array(3), widthPx: 1, heightPx: 1, fullWidthPx: 800, fullHeightPx: 600 }),
    openEngine: async () => {
      const engine = make();
      engines.push(engine);
      return engine;
    },
    onError: (error) => errors.push(error),
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= reconstructor.close().then(() => core.close());
    return closing;
  };
  afterwards(t, close);
  return { core, reconstructor, engines, errors, close };
}

/** Photos of nothing; all that matters is their order. */
export async function addPhotos(core: Core, space: Space, count: number, gpsOf?: (i: number) => Gps): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { digest, sizeBytes } = await core.blobs.put(Buffer.from(randomUUID()));
    const data = {
      image: randomUUID(),
      blob: digest,
      mediaType: "image/jpeg",
      name: `${i}.jpg`,
      sizeBytes,
      width: 800,
      height: 600,
      orientation: 1,
      source: "test",
      ...(gpsOf && { gps: gpsOf(i) }),
    };
    await space.log.append([{ type: "image.added", data }]);
  }
}

/** Follows the log until the state fits. */
export async function until(space: Space, fits: (state: SpaceState) => boolean): Promise<SpaceState> {
  const deadline = AbortSignal.timeout(120_000);
  if (fits(space.log.snapshot().state)) return structuredClone(space.log.snapshot().state);
  for await (const _ of space.log.follow(space.log.head, { signal: deadline })) {
    const { state } = space.log.snapshot();
    if (fits(state)) return structuredClone(state);
  }
  throw new Error("the state never came");
}

/** Every photo has its verdict and nothing runs. */
export function quiet(photos: number): (state: SpaceState) => boolean {
  return (state) =>
    Object.values(state.images).filter((image) => image.verdict).length === photos &&
    Object.values(state.operations).every((operation) => operation.endedNs !== undefined);
}

export function everything(space: Space): Promise<CairnEvent[]> {
  return space.log.read(0, 100_000);
}
