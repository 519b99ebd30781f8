/** What points are coloured by, and what the colours mean. sRGB throughout. */
import { type ImageState, photoNumbers, photosOf, type SpaceState } from "@cairn/protocol";

export type ColorMode = "photo" | "height" | "age" | "contributor" | "confidence";

export type Rgb = readonly [number, number, number];

/** A scale has two ends and the colours between; entries name one colour each. */
export type Legend =
  | { readonly kind: "scale"; readonly low: string; readonly high: string; readonly colors: readonly string[] }
  | { readonly kind: "entries"; readonly entries: readonly { readonly name: string; readonly color: string }[] };

/** Stops of each scale, evenly apart: even in lightness, told apart by the colour-blind (after viridis and plasma). */
export const RAMPS = {
  height: ["#3b2a78", "#31628f", "#1f9a8a", "#7ad151", "#fde725", "#fff8c0"],
  age: ["#3a2a6e", "#7a2a91", "#bb3c7c", "#ea6d55", "#fbb03c", "#fdf08a"],
  confidence: ["#b4304a", "#dc6a3e", "#f0a93d", "#d9d45a", "#8fd07a", "#3ddc97"],
} as const satisfies Record<string, readonly string[]>;

/** Told apart on a dark ground; after that they repeat. */
const PEOPLE = ["#4cc9f0", "#f5b84b", "#3ddc97", "#f27ea9", "#a78bfa", "#ff7b72", "#9be15d", "#e8c1a0"];
/** Of points that came from no photo, or from nobody who gave a name. */
const NOBODY = "#8b98a7";

export function rgbOf(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** The colour at part `t` of a ramp. */
export function rampColor(ramp: readonly string[], t: number): Rgb {
  const at = Math.min(1, Math.max(0, t)) * (ramp.length - 1);
  const i = Math.min(ramp.length - 2, Math.floor(at));
  const [a, b] = [rgbOf(ramp[i]!), rgbOf(ramp[i + 1]!)];
  const mix = (k: 0 | 1 | 2) => Math.round(a[k] + (b[k] - a[k]) * (at - i));
  return [mix(0), mix(1), mix(2)];
}

/** `[photos + 1, 4]`: the colour of each photo's points; row 0 is for points of no photo. */
export function photoColors(state: SpaceState, mode: ColorMode): Uint8Array {
  const photos = photosOf(state);
  const people = peopleOf(photos);
  const numbers = photoNumbers(state);
  const colors = new Uint8Array((photos.length + (state.removed?.length ?? 0) + 1) * 4).fill(255);
  colors.set(rgbOf(NOBODY), 0);
  photos.forEach(({ image, contributor }, i) => {
    const color =
      mode === "age"
        ? rampColor(RAMPS.age, photos.length > 1 ? i / (photos.length - 1) : 1)
        : rgbOf(people.get(contributor ?? "") ?? NOBODY);
    colors.set(color, (numbers.get(image) ?? 0) * 4);
  });
  return colors;
}

/** @param heights lowest and highest that the colours span, in `unit` */
export function legendOf(
  state: SpaceState,
  mode: ColorMode,
  heights: readonly [number, number],
  unit = "",
): Legend | undefined {
  switch (mode) {
    case "photo":
      return undefined;
    case "height": {
      const span = heights[1] - heights[0];
      const digits = Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(Math.max(span, 1e-6)))));
      const [low, high] = heights.map((height) => `${height.toFixed(digits)} ${unit}`.trim()) as [string, string];
      return scale("height", low, high);
    }
    case "age":
      return scale("age", "first photo", "newest photo");
    case "confidence":
      return scale("confidence", "unsure", "sure");
    case "contributor": {
      const photos = photosOf(state);
      const people = peopleOf(photos);
      const entries = [...people].map(([name, color]) => ({ name, color }));
      const unnamed = photos.length === 0 || photos.some(({ contributor }) => !contributor);
      return { kind: "entries", entries: unnamed ? [...entries, { name: "no name", color: NOBODY }] : entries };
    }
  }
}

function scale(mode: keyof typeof RAMPS, low: string, high: string): Legend {
  return { kind: "scale", low, high, colors: RAMPS[mode] };
}

/** In the order in which they came. */
function peopleOf(photos: readonly ImageState[]): Map<string, string> {
  const people = new Map<string, string>();
  for (const { contributor } of photos) {
    if (contributor && !people.has(contributor)) people.set(contributor, PEOPLE[people.size % PEOPLE.length]!);
  }
  return people;
}
