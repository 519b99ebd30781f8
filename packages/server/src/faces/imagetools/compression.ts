/** Presets of compression, and how a client asks for one. Rules IMG-53, IMG-54. */
import type { ImageEdit } from "@cairn/images";
import { Type } from "@cairn/protocol/schema";
import { readFields } from "../fields.ts";
import { Refusal } from "../refusal.ts";

type Compress = Extract<ImageEdit, { name: "compress" }>;

const preset = (
  name: string,
  label: string,
  description: string,
  side: number,
  quality: number,
  targetKb: number,
  format: Compress["format"],
) => ({ name, label, description, max_width: side, max_height: side, quality, target_size_kb: targetKb, format });

export const PRESETS = [
  preset("email", "Email", "Small enough to send by mail", 800, 85, 500, "JPEG"),
  preset("web", "Web", "For a web page", 1920, 90, 500, "JPEG"),
  preset("web_hq", "Web, high quality", "For a web page that shows it large", 2560, 95, 1000, "WEBP"),
] as const;

const Wanted = Type.Object({
  preset: Type.Union([...PRESETS.map(({ name }) => Type.Literal(name)), Type.Literal("custom")]),
});
const Side = Type.Integer({ minimum: 100, maximum: 16_384 });
const Custom = Type.Object({
  quality: Type.Integer({ minimum: 1, maximum: 100 }),
  max_width: Side,
  max_height: Side,
  format: Type.Union([Type.Literal("JPEG"), Type.Literal("PNG"), Type.Literal("WEBP")]),
  target_size_kb: Type.Optional(Type.Integer({ minimum: 10, maximum: 1_000_000 })),
});

/** @param body without nulls @throws {Refusal} 422 */
export function readCompression(body: unknown): Compress {
  const { preset: name } = readFields(Wanted, body, "body");
  const known = PRESETS.find((each) => each.name === name);
  const { max_width, max_height, quality, format, target_size_kb } = known ?? readFields(Custom, body, "body");
  return {
    name: "compress",
    maxWidth: max_width,
    maxHeight: max_height,
    quality,
    format,
    ...(target_size_kb !== undefined && { targetBytes: target_size_kb * 1024 }),
  };
}

const Degrees = Type.Object({ degrees: Type.Integer() });
const Direction = Type.Object({ direction: Type.String() });
const Size = Type.Object({ width: Type.Integer(), height: Type.Integer() });

const MAX_SIDE_PX = 16_384;
const MAX_PIXELS = 100_000_000;

/** @throws {Refusal} 422; 400 for a number that no picture can be turned by */
export function readRotation(body: unknown): Extract<ImageEdit, { name: "rotate" }> {
  const { degrees } = readFields(Degrees, body, "body", { text: true });
  if (degrees !== 90 && degrees !== 180 && degrees !== 270) {
    throw new Refusal(400, "Degrees must be 90, 180 or 270");
  }
  return { name: "rotate", degrees };
}

/** @throws {Refusal} 422, 400 */
export function readFlip(body: unknown): Extract<ImageEdit, { name: "flip" }> {
  const { direction } = readFields(Direction, body, "body");
  if (direction !== "horizontal" && direction !== "vertical") {
    throw new Refusal(400, "Direction must be horizontal or vertical");
  }
  return { name: "flip", direction };
}

/** @throws {Refusal} 422, 400 */
export function readResize(body: unknown): Extract<ImageEdit, { name: "resize" }> {
  const { width, height } = readFields(Size, body, "body", { text: true });
  const fits = (side: number) => side >= 1 && side <= MAX_SIDE_PX;
  if (!fits(width) || !fits(height)) throw new Refusal(400, `Width and height must be between 1 and ${MAX_SIDE_PX}`);
  if (width * height > MAX_PIXELS) throw new Refusal(400, "The picture would have more than 100 megapixels");
  return { name: "resize", width, height };
}
