/** The form of an upload, and who says that it is from where. Rules IMG-25, IMG-38, IMG-56, IMG-58. */
import { recognise } from "@cairn/images";
import type { FastifyRequest } from "fastify";
import { type Form, withForm } from "../form.ts";
import { Refusal } from "../refusal.ts";
import type { ImagetoolsHouse } from "./house.ts";

const SOURCE = /^[a-z][a-z0-9_]{0,31}$/;
/** Older names of two of them. */
const OLDER: ReadonlyMap<string, string> = new Map([
  ["mobile", "android_app"],
  ["addon", "browser_addon"],
]);

/** @throws {Refusal} 413 */
export function withUpload<T>(
  request: FastifyRequest,
  { context, limits }: ImagetoolsHouse,
  use: (form: Form) => Promise<T>,
): Promise<T> {
  const { fileBytes } = limits;
  const options = { file: "file", unnamed: "image", fileBytes, tooLarge: "File too large" };
  return withForm(request, { ...options, budget: context.uploadBudget }, use);
}

/** What is not among the formats of this face is refused like no image at all (IMG-57). @throws {Refusal} */
export function refuseForeign(bytes: Uint8Array): void {
  const type = recognise(bytes);
  if (!type || type === "image/heic") throw new Refusal(400, "File is not a supported image");
}

/** @throws {Refusal} 422 */
export function readSource(given: string | undefined): string {
  const source = OLDER.get(given ?? "") ?? given ?? "web";
  if (SOURCE.test(source)) return source;
  const msg = `String should match pattern '${SOURCE.source}'`;
  throw new Refusal(422, [
    { type: "string_pattern_mismatch", loc: ["body", "source"], msg, input: source.slice(0, 64) },
  ]);
}
