/** What ingest must know of a space at once: which keys and which bytes are there. Built from the state. */
import type { Digest, Id, ImageReceipt, Reason } from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";

type Receipt = Omit<ImageReceipt, "known">;

/** The engine had no luck with it, or was not let: sent again it is a photo like any other. */
const GIVEN_UP: ReadonlySet<Reason | undefined> = new Set<Reason>(["failed", "cancelled"]);

export type IngestIndex = {
  /** The image that has come under this key. */
  ofKey(key: string): Receipt | undefined;
  /** The first image of these bytes. */
  ofBytes(digest: Digest): Id | undefined;
  add(receipt: Receipt, key: string | undefined): void;
  /** After its removal is in the log, both `exclusively`. */
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
  const images = () => log.snapshot().state.images;
  const isGivenUp = (image: Id) => GIVEN_UP.has(images()[image]?.verdict?.reason);
  function read(): void {
    for (const { image, seq, blob, key, verdict } of Object.values(images())) {
      const duplicateOf = verdict?.duplicateOf;
      index.add({ image, seq, blob, ...(duplicateOf === undefined ? {} : { duplicateOf }) }, key);
    }
  }
  const index: IngestIndex = {
    ofKey(key) {
      const receipt = byKey.get(key);
      return receipt && !isGivenUp(receipt.image) ? receipt : undefined;
    },
    ofBytes(digest) {
      const first = byDigest.get(digest);
      return first !== undefined && !isGivenUp(first) ? first : undefined;
    },
    add(receipt, key) {
      if (index.ofBytes(receipt.blob) === undefined) byDigest.set(receipt.blob, receipt.image);
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
