/**
 * The one way in for photos, whatever the door: limits, then facts (by decoding in another process), then the bytes
 * durable, then the event. A receipt means that both are on disk. Rules: docs/spec/http.md.
 */

import { randomUUID } from "node:crypto";
import { type Picture, pinholeForPhoto } from "@cairn/geometry";
import type { ImageDecoder, ImageFacts } from "@cairn/images";
import {
  CairnError,
  type EventDraft,
  type Gravity,
  type ImageReceipt,
  type Intrinsics,
  type TimeNs,
} from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import { checkQuota } from "../space/quota.ts";
import type { Space } from "../space/spaces.ts";
import { displayName } from "./display-name.ts";
import { type IngestIndex, ingestIndex } from "./ingest-index.ts";

export type IncomingPhoto = {
  bytes: Uint8Array;
  /** The sender's file name: shown, never used as a path. */
  name: string;
  /** Through which door. */
  source: string;
  /** The sender's own name for this upload; the same key again is the same image. */
  key?: string | undefined;
  /** Known calibration, for the upright photo's size. */
  camera?: Intrinsics | undefined;
  /** The same as PINHOLE, `fx, fy, cx, cy` in pixels of a photo of `cameraSize`, or of this photo's own. */
  cameraParams?: readonly [number, number, number, number] | undefined;
  cameraSize?: Picture | undefined;
  contributor?: string | undefined;
  /** A photo that is there already is given to the engine like any other, not judged to be a copy. */
  copyCounts?: boolean;
  /** Counts more than the file's own. */
  capturedNs?: TimeNs | undefined;
  /** Which way is down; of any length. */
  gravity?: Gravity | undefined;
  /** The video or stream that it is a picture of. */
  sequence?: string | undefined;
};

export type IngestListener = (space: Space, receipt: ImageReceipt) => void;

/** Most photos without a verdict in one space. */
const MAX_UNJUDGED = 1000;

/**
 * @throws {CairnError} `image.*` and `upload.too_many` as the decoder says; `request.invalid` for a camera that does
 * not fit the photo; `space.closed`, `space.quota`, `store.full`, `store.failed`
 */
export async function ingestImage(
  core: { readonly blobs: BlobStore; readonly ingested?: IngestListener },
  space: Space,
  photo: IncomingPhoto,
  decoder: ImageDecoder,
  signal?: AbortSignal,
): Promise<ImageReceipt> {
  const index = ingestIndex(space.log);
  const known = knownReceipt(index, photo.key);
  if (known) return known;
  checkRoom(space, photo.bytes.length);

  const facts = await decoder.inspect(photo.bytes, signal);
  const camera = cameraFor(photo, facts);
  const gravity = photo.gravity && gravityOf(photo.gravity);
  signal?.throwIfAborted();
  const { digest } = await core.blobs.put(photo.bytes, signal ? { signal } : {});

  // One at a time from here: two uploads of the same key or the same bytes must see each other.
  return index.exclusively(async () => {
    const raced = knownReceipt(index, photo.key);
    if (raced) return raced;
    checkRoom(space, photo.bytes.length);
    const image = randomUUID();
    const duplicateOf = photo.copyCounts ? undefined : index.ofBytes(digest);
    const drafts: EventDraft[] = [
      {
        type: "image.added",
        data: {
          image,
          blob: digest,
          ...facts,
          name: displayName(photo.name, "photo"),
          source: photo.source,
          ...(camera ? { camera } : {}),
          ...(photo.capturedNs === undefined ? {} : { capturedNs: photo.capturedNs }),
          ...(gravity && { gravity }),
          ...(photo.sequence === undefined ? {} : { sequence: photo.sequence }),
          ...(photo.contributor === undefined ? {} : { contributor: photo.contributor }),
          ...(photo.key === undefined ? {} : { key: photo.key }),
        },
      },
    ];
    if (duplicateOf !== undefined) {
      drafts.push({ type: "image.judged", data: { image, verdict: "rejected", reason: "duplicate", duplicateOf } });
    }
    const [added] = await space.log.append(drafts);
    const receipt = { image, seq: added!.seq, blob: digest, ...(duplicateOf === undefined ? {} : { duplicateOf }) };
    index.add(receipt, photo.key);
    core.ingested?.(space, { ...receipt, known: false });
    return { ...receipt, known: false };
  });
}

function knownReceipt(index: IngestIndex, key: string | undefined): ImageReceipt | undefined {
  const receipt = key === undefined ? undefined : index.ofKey(key);
  return receipt && { ...receipt, known: true };
}

function checkRoom(space: Space, sizeBytes: number): void {
  const { state } = space.log.snapshot();
  if (state.closed || space.signal.aborted) throw new CairnError("space.closed");
  checkQuota(state, { images: 1, sizeBytes });
  if (!state.settings.reconstruct) return; // nobody waits for a verdict
  let unjudged = 0;
  for (const image of Object.values(state.images)) if (!image.verdict) unjudged++;
  if (unjudged >= MAX_UNJUDGED) throw new CairnError("upload.too_many", { waiting: unjudged });
}

function cameraFor(photo: IncomingPhoto, { width, height, orientation }: ImageFacts): Intrinsics | undefined {
  const said = photo.camera ?? photo.cameraSize;
  const upright = { width, height, orientation };
  const params = photo.cameraParams && pinholeForPhoto(photo.cameraParams, said ?? upright, upright);
  const camera = photo.camera ?? (params && { model: "PINHOLE" as const, width, height, params });
  if (said && (photo.camera ? said.width !== width || said.height !== height : !params)) {
    throw new CairnError("request.invalid", {
      field: "camera",
      problem: `is for ${said.width} × ${said.height}, the upright photo has ${width} × ${height}`,
    });
  }
  if (!camera) return undefined;
  const focal = camera.params.slice(0, camera.model === "PINHOLE" ? 2 : 1);
  const wanted = camera.model === "RADIAL" ? 5 : 4;
  if (camera.params.length !== wanted || !camera.params.every(Number.isFinite) || !focal.every((f) => f > 0)) {
    throw new CairnError("request.invalid", {
      field: "camera/params",
      problem: `${camera.model} has ${wanted} numbers`,
    });
  }
  return camera;
}

function gravityOf({ down: [x, y, z], sigmaDeg }: Gravity): Gravity {
  const length = Math.hypot(x, y, z);
  if (!(length > 0) || !Number.isFinite(length)) {
    throw new CairnError("request.invalid", { field: "gravity/down", problem: "has no direction" });
  }
  return { down: [x / length, y / length, z / length], sigmaDeg };
}
