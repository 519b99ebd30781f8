/**
 * Designs of a space: files that some program writes again and again. Each content becomes a blob and an event with
 * what the mesh is like; older contents stay as long as their events do.
 */
import type { MeshFormat } from "@cairn/formats/design";
import {
  CairnError,
  type DesignState,
  type Digest,
  designKey,
  type EventDraft,
  type MeshMeasure,
  type TimeNs,
} from "@cairn/protocol";
import { type Pool, workers } from "@cairn/worker";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import type { DesignJobs } from "./design-jobs.ts";

/** A binary STL without facets. */
const EMPTY_STL_BYTES = 84;
/** Larger files are not drawn. */
const PICTURE_BYTES = 256 * 2 ** 20;
const PICTURE_MS = 30_000;

export type IncomingDesign = {
  readonly collection: string;
  readonly design: string;
  readonly bytes: Uint8Array;
  readonly format: MeshFormat;
  /** When the file was last written. */
  readonly fileNs: TimeNs;
  /** It was there when its collection was looked at for the first time. */
  readonly present?: boolean;
};

export type DesignName = Pick<IncomingDesign, "collection" | "design">;

export interface Designs {
  /**
   * Says that these have the given content, in their order and next to each other; those that have it already are
   * passed over. Durable when it resolves: blobs, then events. @throws {CairnError} `store.…`
   */
  publish(space: Space, designs: readonly IncomingDesign[]): Promise<void>;
  /** Those that are not there are passed over. */
  remove(space: Space, designs: readonly DesignName[]): Promise<void>;
  /**
   * A small PNG of a content that a design has. One after the other, so that only one is in memory; the thread is another
   * than the one that measures, which nobody has to wait for. @throws {CairnError} `design.unreadable`, `blob.…`
   */
  picture(content: Pick<DesignState, "blob" | "format" | "sizeBytes">, sidePx: number): Promise<Uint8Array>;
  /** Starts the thread, so that the first design does not wait for it. */
  warm(): void;
  close(): Promise<void>;
}

/** The thread starts with the first design, if nobody asks for it before. */
export function openDesigns(blobs: BlobStore): Designs {
  const pool: Pool<DesignJobs> = workers<DesignJobs>(new URL("./design.worker.js", import.meta.url), 1);
  const drawing: Pool<DesignJobs> = workers<DesignJobs>(new URL("./design.worker.js", import.meta.url), 1);
  let lastPicture: Promise<unknown> = Promise.resolve();
  const turns = new Map<Space, Promise<void>>();

  /** One after the other in a space: a revision's number is the one after the last. */
  function inTurn(space: Space, work: () => Promise<void>): Promise<void> {
    const turn = (turns.get(space) ?? Promise.resolve()).then(work);
    const settled = turn
      .catch(() => {})
      .then(() => {
        if (turns.get(space) === settled) turns.delete(space);
      });
    turns.set(space, settled);
    return turn;
  }

  async function measured(
    { bytes, format }: IncomingDesign,
    digest: Digest,
    known: readonly (DesignState | undefined)[],
  ): Promise<{ mesh?: MeshMeasure; problem?: string }> {
    const same = known.find((each) => each?.blob === digest && each.format === format);
    if (same) return { ...(same.mesh && { mesh: same.mesh }), ...(same.problem && { problem: same.problem }) };
    try {
      return { mesh: await pool.run("measure", { bytes, format }) };
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "design.unreadable") return { problem: String(error.facts.problem).slice(0, 200) };
      // A file that takes the thread down costs itself only.
      if (error.code === "engine.failed") return { problem: "not readable" };
      throw error;
    }
  }

  return {
    publish: (space, designs) =>
      inTurn(space, async () => {
        const stateOf = ({ collection, design }: DesignName) =>
          space.log.snapshot().state.designs?.[designKey(collection, design)];
        const stored = await Promise.all(
          designs.map(async (each) => {
            const before = stateOf(each);
            const { digest } = await blobs.put(each.bytes);
            return { each, digest, ...(await measured(each, digest, [before])) };
          }),
        );
        const drafts: EventDraft[] = [];
        const revisions = new Map<string, { revision: number; blob: Digest | undefined }>();
        for (const { each, digest, mesh, problem } of stored) {
          const { collection, design, bytes, format, fileNs, present } = each;
          const key = designKey(collection, design);
          const state = stateOf(each);
          const before = revisions.get(key) ?? {
            revision: state?.revision ?? 0,
            blob: state?.removedNs === undefined ? state?.blob : undefined,
          };
          if (before.blob === digest) continue;
          const revision = before.revision + 1;
          revisions.set(key, { revision, blob: digest });
          const change = before.blob !== undefined ? "overwritten" : present ? "present" : "added";
          const found = { ...(mesh && { mesh }), ...(problem !== undefined && { problem }) };
          const facts = { design, collection, revision, change, blob: digest, fileNs, format } as const;
          drafts.push({ type: "design.published", data: { ...facts, sizeBytes: bytes.length, ...found } });
        }
        if (drafts.length > 0) await space.log.append(drafts);
      }),
    remove: (space, designs) =>
      inTurn(space, async () => {
        const { designs: known } = space.log.snapshot().state;
        const there = designs.filter(({ collection, design }) => {
          const state = known?.[designKey(collection, design)];
          return state && state.removedNs === undefined;
        });
        const drafts = there.map(
          ({ collection, design }): EventDraft => ({ type: "design.removed", data: { collection, design } }),
        );
        if (drafts.length > 0) await space.log.append(drafts);
      }),
    picture({ blob, format, sizeBytes }, sidePx) {
      const drawn = lastPicture.then(async () => {
        if (sizeBytes > PICTURE_BYTES)
          throw new CairnError("design.unreadable", { format, problem: "too large to draw" });
        return drawing.run(
          "picture",
          { bytes: await blobs.get(blob), format, sidePx },
          { signal: AbortSignal.timeout(PICTURE_MS) },
        );
      });
      lastPicture = drawn.catch(() => {});
      return drawn;
    },
    warm() {
      const empty = { bytes: new Uint8Array(EMPTY_STL_BYTES), format: "stl" } as const;
      void pool.run("measure", empty).catch(() => {}); // the next job tells what is wrong
    },
    async close() {
      await Promise.all(turns.values());
      await Promise.all([pool.close(), drawing.close()]);
    },
  };
}
