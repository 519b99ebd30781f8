/** Changes of single images, and back. Rules IMG-31 to IMG-34, IMG-37, IMG-53, IMG-54, IMG-60. */
import { changeImage, replaceImage, showVersion, undoImage } from "@cairn/core";
import type { ImageEdit } from "@cairn/images";
import { CairnError, type ImageState, shownVersion } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { readFields } from "../fields.ts";
import { type Form, missing } from "../form.ts";
import { Refusal } from "../refusal.ts";
import { PRESETS, readCompression, readFlip, readResize, readRotation } from "./compression.ts";
import { editing, findImage, type ImagetoolsHouse, imageRefusal, withoutNulls } from "./house.ts";
import { API, historyEntry, imageResponse, imageUrl } from "./shapes.ts";
import { refuseForeign, withUpload } from "./upload.ts";

type Named = { Params: { image: string } };

const Restore = Type.Object({ sequence: Type.Integer({ minimum: 0 }) });

export function editRoutes(app: FastifyInstance, house: ImagetoolsHouse): void {
  async function change(request: FastifyRequest<Named>, edit: ImageEdit) {
    const found = editing(house, request.params.image, request);
    const before = { ...shownVersion(found.image) };
    const image = await changeImage(found.house, found.image.image, edit).catch((error: unknown) => {
      throw imageRefusal(error);
    });
    return { image, before, ...sized(image) };
  }

  app.post<Named>(`${API}/images/:image/rotate`, async (request) => {
    findImage(house, request.params.image);
    const edit = readRotation(withoutNulls(request.body));
    const { size, width, height, ...facts } = await change(request, edit);
    return { ...named(facts.image), degrees: edit.degrees, new_size: size, width, height };
  });

  app.post<Named>(`${API}/images/:image/flip`, async (request) => {
    findImage(house, request.params.image);
    const edit = readFlip(withoutNulls(request.body));
    const { size, width, height, ...facts } = await change(request, edit);
    return { ...named(facts.image), direction: edit.direction, new_size: size, width, height };
  });

  app.post<Named>(`${API}/images/:image/resize`, async (request) => {
    findImage(house, request.params.image);
    const edit = readResize(withoutNulls(request.body));
    const { before, size, width, height, ...facts } = await change(request, edit);
    return {
      ...named(facts.image),
      original_width: before.width,
      original_height: before.height,
      new_width: width,
      new_height: height,
      new_size: size,
    };
  });

  const replace = async (request: FastifyRequest<Named>, { file }: Form) => {
    const found = editing(house, request.params.image, request);
    if (!file) throw new Refusal(422, [missing("file")]);
    refuseForeign(file.bytes);
    try {
      const image = await replaceImage(found.house, found.image.image, file.bytes, { name: "edit" });
      return imageResponse(found.space.id, image);
    } catch (error) {
      throw imageRefusal(error);
    }
  };
  app.post<Named>(`${API}/images/:image/edit`, async (request) =>
    withUpload(request, house, (form) => replace(request, form)),
  );

  app.get(`${API}/compression/presets`, { config: { place: "any" } }, async () => ({ presets: PRESETS }));

  app.post<Named>(`${API}/compression/:image`, async (request) => {
    findImage(house, request.params.image);
    const edit = readCompression(withoutNulls(request.body));
    const { before, size, ...facts } = await change(request, edit);
    const saved = 100 * (1 - size / before.sizeBytes);
    return {
      ...named(facts.image),
      original_size: before.sizeBytes,
      compressed_size: size,
      compression_ratio: Math.round(saved * 100) / 100,
    };
  });

  app.get<Named>(`${API}/history/:image`, async ({ params }) => {
    const { image } = findImage(house, params.image);
    return (image.versions ?? []).map((version) => historyEntry(image.image, version));
  });

  app.get<Named>(`${API}/history/:image/can-undo`, async ({ params }) => {
    const { image } = findImage(house, params.image);
    return { can_undo: canUndo(image) };
  });

  app.post<Named>(`${API}/history/:image/undo`, async (request) => {
    const found = editing(house, request.params.image, request);
    return reverted(await undoImage(found.house, found.image.image).catch(versionRefusal));
  });

  app.post<Named>(`${API}/history/:image/restore`, async (request) => {
    const found = editing(house, request.params.image, request);
    const { sequence } = readFields(Restore, withoutNulls(request.body), "body", { text: true });
    return reverted(await showVersion(found.house, found.image.image, sequence).catch(versionRefusal));
  });
}

function named({ image }: ImageState) {
  return { image_id: image, image_url: imageUrl(image) };
}

function sized(image: ImageState) {
  const { sizeBytes: size, width, height } = shownVersion(image);
  return { size, width, height };
}

/** The version from which the one shown was made is still kept. */
function canUndo({ version, versions = [] }: ImageState): boolean {
  const from = versions.find((each) => each.version === version)?.from;
  return from === 0 || versions.some((each) => each.version === from);
}

function reverted(image: ImageState) {
  return { ...named(image), reverted_to_sequence: image.version ?? 0, current_size: shownVersion(image).sizeBytes };
}

function versionRefusal(error: unknown): never {
  if (error instanceof CairnError && error.code === "image.no_change") throw new Refusal(400, "Nothing to undo");
  if (error instanceof CairnError && error.code === "image.version") throw new Refusal(404, "No such version");
  throw imageRefusal(error);
}
