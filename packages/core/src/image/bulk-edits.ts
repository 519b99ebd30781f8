/**
 * One edit of many images as an operation: a step is one image, and its change and its progress are one append. So a
 * restart goes on with the next image and does none twice. Rules: docs/spec/images.md.
 */
import type { ImageDecoder, ImageEdit } from "@cairn/images";
import { CairnError, check, Id } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { Core } from "../core.ts";
import type { Outcome, Running } from "../operation/operations.ts";
import type { Space } from "../space/spaces.ts";
import { changeImage, removeImage } from "./versions.ts";

const Side = Type.Integer({ minimum: 1, maximum: 100_000 });

const BulkEdit = Type.Union([
  Type.Object({
    name: Type.Literal("rotate"),
    degrees: Type.Union([Type.Literal(90), Type.Literal(180), Type.Literal(270)]),
  }),
  Type.Object({
    name: Type.Literal("flip"),
    direction: Type.Union([Type.Literal("horizontal"), Type.Literal("vertical")]),
  }),
  Type.Object({ name: Type.Literal("resize"), width: Side, height: Side }),
  Type.Object({
    name: Type.Literal("compress"),
    maxWidth: Side,
    maxHeight: Side,
    quality: Type.Integer({ minimum: 1, maximum: 100 }),
    format: Type.Union([Type.Literal("JPEG"), Type.Literal("PNG"), Type.Literal("WEBP")]),
    targetBytes: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  Type.Object({ name: Type.Literal("remove") }),
]);
export type BulkEdit = ImageEdit | { readonly name: "remove" };

const EditPlan = Type.Object({
  images: Type.Array(Id, { minItems: 1 }),
  edit: BulkEdit,
  contributor: Type.Optional(Type.String()),
});
type EditPlan = Static<typeof EditPlan>;

/** Kinds of these operations: `images:rotate` and so on. */
const KIND = "images:";

const DOING: Readonly<Record<BulkEdit["name"], string>> = {
  rotate: "Rotating",
  flip: "Flipping",
  resize: "Resizing",
  compress: "Compressing",
  remove: "Deleting",
};

export type Edits = {
  /** @throws {CairnError} `image.missing` when one of them is not the space's */
  start(space: Space, images: readonly Id[], edit: BulkEdit, by?: { contributor?: string }): Promise<{ operation: Id }>;
};

/** Goes on with what was cut off in every space that opens. */
export function openEdits(core: Core, decoder: ImageDecoder, onError: (error: unknown, about: string) => void): Edits {
  async function work(space: Space, plan: EditPlan, { operation, signal, step }: Running): Promise<Outcome> {
    const { images, edit, contributor } = plan;
    const total = images.length;
    const house = { blobs: core.blobs, decoder, space, operation, ...(contributor !== undefined && { contributor }) };
    const state = () => space.log.snapshot().state.operations[operation];
    for (let at = state()?.progress?.done ?? 0; at < total; at++) {
      signal.throwIfAborted();
      const image = images[at]!;
      const message = `${DOING[edit.name]} image ${at + 1} of ${total}...`;
      const done = { stage: edit.name, done: at + 1, total, message };
      let durable = false;
      const append = async (events: Parameters<Running["step"]>[0]) => {
        await step(events, done);
        durable = true;
      };
      try {
        if (edit.name === "remove") await removeImage(house, image, append);
        else await changeImage(house, image, edit, append);
      } catch (error) {
        // A disk that refuses and a space that ends are no problem of this image.
        if (durable || !(error instanceof CairnError) || !error.code.match(/^(image|blob)\.|^space\.quota$/))
          throw error;
        await step([], { ...done, problem: { image, code: error.code, message: error.message.slice(0, 500) } });
      }
    }
    signal.throwIfAborted();
    const failed = state()?.problems ?? 0;
    if (failed === total) throw new CairnError("image.none_changed", { images: total });
    return { result: { succeeded: total - failed, failed } };
  }

  core.spaces.onOpen((space) => {
    for (const { operation, kind, endedNs, plan } of Object.values(space.log.snapshot().state.operations)) {
      if (endedNs !== undefined || !kind.startsWith(KIND) || !plan) continue;
      const planned = check(EditPlan, plan);
      space.operations
        .resume(operation, (running) => work(space, planned, running))
        .catch((error: unknown) => onError(error, `operation ${operation} of ${space.id}`));
    }
  });

  return {
    async start(space, images, edit, { contributor } = {}) {
      const { state } = space.log.snapshot();
      for (const image of images) {
        if (!Object.hasOwn(state.images, image)) throw new CairnError("image.missing", { image: image.slice(0, 64) });
      }
      const plan = check(EditPlan, { images: [...images], edit, ...(contributor !== undefined && { contributor }) });
      const { operation } = await space.operations.start(KIND + edit.name, (running) => work(space, plan, running), {
        plan,
      });
      return { operation };
    },
  };
}
