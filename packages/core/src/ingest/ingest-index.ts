/** What ingest must know of a space at once: which keys and which bytes are there. Built from the state. */
import type { Digest, Id, ImageReceipt } from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";

type Receipt = Omit<ImageReceipt, "known">;

export type IngestIndex = {
  readonly byKey: ReadonlyMap<string, Receipt>;
  /** The first image of these bytes. */
  readonly byDigest: ReadonlyMap<Digest, Id>;
  add(receipt: Receipt, key: string | undefined): void;
  /** After its removal is in the log. */
  remove(image: Id): void;
  /** Runs `work` after all that came before it; a failure of one is its own. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
};

/** Ingest is the only writer of `image.added`, so an index once built stays true as long as its log is open. */
const indexes = new WeakMap<SpaceLog, IngestIndex>();

export function ingestIndex(log: SpaceLog): IngestIndex {
  let index = indexes.get(log);
  if (!index) {
    index = build(log);
    indexes.set(log, index);
  }
  return index;
}

function build(log: SpaceLog): IngestIndex {
  const byKey = new Map<string, Receipt>();
  const byDigest = new Map<Digest, Id>();
  let last: Promise<unknown> = Promise.resolve();
  function read(): void {
    for (const { image, seq, blob, key, verdict } of Object.values(log.snapshot().state.images)) {
      const duplicateOf = verdict?.duplicateOf;
      index.add({ image, seq, blob, ...(duplicateOf === undefined ? {} : { duplicateOf }) }, key);
    }
  }
  const index: IngestIndex = {
    byKey,
    byDigest,
    add(receipt, key) {
      if (!byDigest.has(receipt.blob)) byDigest.set(receipt.blob, receipt.image);
      if (key !== undefined) byKey.set(key, receipt);
    },
    remove(image) {
      for (const [key, receipt] of byKey) if (receipt.image === image) byKey.delete(key);
      for (const [digest, first] of byDigest) if (first === image) byDigest.delete(digest);
      read(); // a copy of it is the first of these bytes now
    },
    exclusively(work) {
      const mine = last.then(work);
      last = mine.catch(() => {});
      return mine;
    },
  };
  read();
  return index;
}
