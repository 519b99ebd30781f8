/** What a whole resumable upload becomes: a photo, or a layer of points. */
import { readFile } from "node:fs/promises";
import { checkQuota, ingestImage, type Space } from "@cairn/core";
import { MAX_IMAGE_BYTES } from "@cairn/images";
import { CairnError, check, type Id, type ImageReceipt } from "@cairn/protocol";
import { Value } from "@cairn/protocol/schema";
import type { ServerContext } from "../context.ts";
import { photoFacts } from "../routes/photo-facts.ts";
import { ImportQuery, pointsFacts } from "../routes/points-facts.ts";

/** What tus metadata says, as far as the kind knows it. */
export type Facts = Record<string, string>;
export type Receipt = ImageReceipt | { operation: Id };

type Became = {
  readonly receipt: Receipt;
  /** When there, the file is still read; says in the end whether it may go, or else is to be taken again. */
  readonly read?: Promise<"done" | "again">;
};

export type UploadKind = {
  /** What metadata may say; `filename`, which tus clients usually send, is `name`. */
  readonly facts: readonly string[];
  readonly maxBytes: number;
  /** @throws {CairnError} what refuses it before its first byte. @param openBytes that others of the space will bring */
  check(facts: Facts, space: Space, sizeBytes: number | undefined, openBytes: number): void;
  /** @throws {CairnError} */
  take(
    facts: Facts,
    space: Space,
    file: { readonly id: string; readonly path: string },
    signal?: AbortSignal,
  ): Promise<Became>;
  /** Whether what it became was cut off by the server's end, so that the file is to be taken again. */
  cutOff(receipt: Receipt, space: Space): boolean;
};

export function uploadKinds({ core, decoder, imports }: Pick<ServerContext, "core" | "decoder" | "imports">) {
  const photo: UploadKind = {
    facts: ["name", "key", "camera", "contributor", "capturedNs", "gravity", "sequence"],
    maxBytes: MAX_IMAGE_BYTES,
    check: (facts) => void photoFacts(facts),
    async take(facts, space, { id, path }, signal) {
      const bytes = await readFile(path);
      const said = photoFacts(facts);
      // Without a key of the sender's the upload's own id makes sure that finishing twice is one image.
      const key = said.key ?? `upload:${id}`;
      return { receipt: await ingestImage(core, space, { ...said, key, bytes, source: "tus" }, decoder, signal) };
    },
    cutOff: () => false,
  };

  const wasCutOff = (operation: Id, space: Space) =>
    space.log.snapshot().state.operations[operation]?.error?.code === "server.stopping";
  const said = (facts: Facts) => pointsFacts(check(ImportQuery, Value.Convert(ImportQuery, facts)));
  const layer: UploadKind = {
    facts: ["name", "spacing", "transform"],
    maxBytes: Number.MAX_SAFE_INTEGER, // the space's quota is the bound
    check(facts, space, sizeBytes, openBytes) {
      said(facts);
      if (sizeBytes === undefined) {
        throw new CairnError("request.invalid", { field: "upload-length", problem: "must be known from the start" });
      }
      checkQuota(space.log.snapshot().state, { images: 0, sizeBytes: sizeBytes + openBytes });
    },
    async take(facts, space, { path }) {
      const { operation, ended } = await imports.takeFile(space, path, said(facts));
      const read = ended.then(() => (wasCutOff(operation, space) || space.signal.aborted ? "again" : "done"));
      return { receipt: { operation }, read };
    },
    cutOff: (receipt, space) => "operation" in receipt && wasCutOff(receipt.operation, space),
  };
  return { photo, layer };
}
