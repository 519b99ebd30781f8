/**
 * Images after they came: changed, replaced, gone back, removed. Every version is a blob and an event, so nothing that
 * someone did is lost, and one is made after the other: of two edits at once both are there. Rules: docs/spec/images.md.
 */
import type { ImageDecoder, ImageEdit } from "@cairn/images";
import { CairnError, type EventDraft, type Id, type ImageChange, type ImageState, shownVersion } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import { ingestIndex } from "../ingest/ingest-index.ts";
import { freeBytes } from "../space/quota.ts";
import type { Space } from "../space/spaces.ts";

/** Where it happens, and who does it. */
export type Editing = {
  readonly blobs: BlobStore;
  readonly decoder: Pick<ImageDecoder, "edit" | "inspect">;
  readonly space: Space;
  readonly contributor?: string;
  /** Of which this is one of many: its end is said by the operation. */
  readonly operation?: Id;
};

/** How a change becomes durable; left out: by an append of its own. */
type Append = (events: readonly EventDraft[]) => Promise<void>;

/** @throws {CairnError} `image.missing`, as the decoder does, `space.quota`, `space.closed`, `store.…` */
export function changeImage(house: Editing, image: Id, edit: ImageEdit, append?: Append): Promise<ImageState> {
  return inTurn(house.space, image, async (state) => {
    const { blobs, decoder } = house;
    const made = await decoder.edit(await blobs.get(shownVersion(state).blob), edit);
    const { name, ...params } = edit;
    return keep(house, state, { name, params }, made, append);
  });
}

/** A picture made elsewhere takes its place. Throws as `changeImage`. */
export function replaceImage(house: Editing, image: Id, bytes: Uint8Array, change: ImageChange): Promise<ImageState> {
  return inTurn(house.space, image, async (state) => {
    const { mediaType, width, height } = await house.decoder.inspect(bytes);
    return keep(house, state, change, { bytes, mediaType, width, height });
  });
}

/** Shows the version from which the one shown was made. @throws {CairnError} `image.no_change`, `image.version`, `image.missing` */
export function undoImage(house: Editing, image: Id): Promise<ImageState> {
  return inTurn(house.space, image, async (state) => {
    const shown = state.versions?.find(({ version }) => version === state.version);
    if (!shown) throw new CairnError("image.no_change", { image });
    return goBack(house, state, shown.from, "undo");
  });
}

/** Shows an earlier version, or a later one again; 0 is the photo as it was added. Throws as `undoImage`. */
export function showVersion(house: Editing, image: Id, version: number): Promise<ImageState> {
  return inTurn(house.space, image, async (state) => goBack(house, state, version, "restore"));
}

/** @throws {CairnError} `image.missing`, `space.closed`, `store.…` */
export async function removeImage(house: Pick<Editing, "space" | "operation">, image: Id, append?: Append) {
  const { space, operation } = house;
  await inTurn(space, image, async (state) => {
    const index = ingestIndex(space.log);
    // Bytes that are sent again meanwhile come before the removal or after it, never as a copy of what is gone.
    await index.exclusively(async () => {
      await say(space, { type: "image.removed", data: { image, ...(operation && { operation }) } }, append);
      index.remove(image);
    });
    return state;
  });
}

type Made = { bytes: Uint8Array; mediaType: string; width: number; height: number };

async function keep(house: Editing, state: ImageState, change: ImageChange, made: Made, append?: Append) {
  const { space, blobs, contributor, operation } = house;
  if (made.bytes.length > freeBytes(space.log.snapshot().state)) throw new CairnError("space.quota");
  const { digest } = await blobs.put(made.bytes);
  const { image, version: from = 0, lastVersion = 0 } = state;
  const { mediaType, width, height } = made;
  const data = {
    image,
    version: lastVersion + 1,
    from,
    change,
    blob: digest,
    mediaType,
    sizeBytes: made.bytes.length,
    width,
    height,
    ...(contributor !== undefined && { contributor }),
    ...(operation && { operation }),
  };
  await say(space, { type: "image.changed", data }, append);
  return imageOf(space, image);
}

async function goBack({ space, contributor }: Editing, state: ImageState, to: number, name: string) {
  const found = to === 0 ? state : state.versions?.find(({ version }) => version === to);
  if (!found) throw new CairnError("image.version", { version: to });
  const { blob, mediaType, sizeBytes, width, height } = found;
  const { image, version: from = 0 } = state;
  const facts = { blob, mediaType, sizeBytes, width, height, ...(contributor !== undefined && { contributor }) };
  await say(space, { type: "image.changed", data: { image, version: to, from, change: { name }, ...facts } });
  return imageOf(space, image);
}

async function say(space: Space, draft: EventDraft, append?: Append): Promise<void> {
  if (append) await append([draft]);
  else await space.log.append([draft]);
}

/** @throws {CairnError} `image.missing` */
function imageOf(space: Space, id: Id): ImageState {
  const { images } = space.log.snapshot().state;
  const image = Object.hasOwn(images, id) ? images[id] : undefined;
  if (!image) throw new CairnError("image.missing", { image: id.slice(0, 64) });
  return image;
}

const turns = new WeakMap<Space, Map<Id, Promise<unknown>>>();

/** One change of an image after the other: each begins with what the one before made. */
async function inTurn(space: Space, image: Id, work: (state: ImageState) => Promise<ImageState>): Promise<ImageState> {
  imageOf(space, image);
  const ofSpace = turns.get(space) ?? new Map<Id, Promise<unknown>>();
  turns.set(space, ofSpace);
  const mine = Promise.resolve(ofSpace.get(image))
    .catch(() => {})
    .then(() => {
      if (space.signal.aborted) throw new CairnError("space.closed");
      return work(imageOf(space, image));
    });
  ofSpace.set(image, mine);
  try {
    return structuredClone(await mine);
  } finally {
    if (ofSpace.get(image) === mine) ofSpace.delete(image);
  }
}
