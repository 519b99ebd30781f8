/** What the page says about photos, numbers and errors. */
import {
  ADVICE,
  adviceOfHint,
  CairnError,
  frameInWords,
  type GenerationState,
  type ImageState,
  photosOf,
  type Report,
  type SpaceState,
  type SpaceSummary,
  shownGeneration,
  shownLayers,
} from "@cairn/protocol";
import { isPhone } from "./phone/is-phone.ts";
import { noteShortfall } from "./token.ts";

const numbers = new Intl.NumberFormat("en");

export function count(n: number, one: string, many = `${one}s`): string {
  return `${numbers.format(n)} ${n === 1 ? one : many}`;
}

/** What the server says of tokens names no way out. */
const OF_TOKENS = {
  "auth.required": "Your token is not known here any more.",
  "auth.forbidden": "Your token does not allow this. Ask whoever runs the server for one that does.",
} as const;

/** For what is about to be shown: the page offers to take another token, too. */
export function tokenInWords(code: keyof typeof OF_TOKENS): string {
  noteShortfall();
  return OF_TOKENS[code];
}

/** An error in words for people: the server's own where it gave some. */
export function inWords(error: unknown): string {
  if (error instanceof CairnError) {
    // Where a program finds what is wrong; here it follows in brackets.
    return isOfTokens(error.code) ? tokenInWords(error.code) : error.message.replace(/[,;] see `facts`/, "");
  }
  if (error instanceof TypeError) return "The server cannot be reached. Check that it is running, then try again.";
  return error instanceof Error ? error.message : String(error);
}

export const isOfTokens = (code: string): code is keyof typeof OF_TOKENS => Object.hasOwn(OF_TOKENS, code);

type PhotoStatus = {
  kind: "working" | "queued" | "placed" | "waiting" | "unused";
  text: string;
  /** For the photographer. */
  advice?: string;
};

/**
 * @param next the first photo without a verdict: the one being worked on
 * @param model what is shown; an earlier one does not have all photos that were placed
 */
export function photoStatus(
  { image, verdict }: ImageState,
  next: string | undefined,
  model?: Pick<GenerationState, "cameras">,
): PhotoStatus {
  if (!verdict) {
    return image === next ? { kind: "working", text: "Working…" } : { kind: "queued", text: "Waiting its turn" };
  }
  if (verdict.verdict === "registered" && model && !model.cameras[image]) {
    return { kind: "waiting", text: "Not in the model shown" };
  }
  if (verdict.verdict === "registered") {
    const error = verdict.reprojectionPx === undefined ? "" : ` · ${verdict.reprojectionPx.toFixed(2)} px`;
    return { kind: "placed", text: `Placed${error}` };
  }
  const advice = verdict.reason === undefined ? {} : { advice: ADVICE[verdict.reason] };
  return verdict.verdict === "waiting"
    ? { kind: "waiting", text: "Not placed yet", ...advice }
    : { kind: "unused", text: "Not used", ...advice };
}

/** In the place of a model of which there is no point yet. @param sending more is on its way */
export function beforePoints(photos: readonly ImageState[], sending: boolean): { title: string; text: string } {
  if (sending || photos.some(({ verdict }) => !verdict)) {
    const fit = "as soon as two of them fit together";
    return photos.length === 0
      ? { title: "On the way", text: `Points of photos appear ${fit}, those of a point cloud as it is read.` }
      : { title: "Looking for what the photos share", text: `Points appear ${fit}.` };
  }
  if (photos.length === 0) {
    const title = isPhone() ? "Take photos, or add some" : "Drop photos or a point cloud anywhere";
    return { title, text: "Photos that overlap, from different places: the model begins with the second." };
  }
  return { title: "No two photos fit together yet", text: "Add some that overlap. The list says what each one needs." };
}

/** Points and cameras on the screen. */
export function modelOf(state: SpaceState): { points: number; cameras: number } {
  const points = shownLayers(state).reduce((sum, layer) => sum + layer.points, 0);
  return { points, cameras: Object.keys(shownGeneration(state)?.cameras ?? {}).length };
}

/** What a space in a list has: no word of what there is none of. */
export function contents({ images, points, designs = 0, devices = 0 }: SpaceSummary): string {
  const parts = [
    images > 0 && count(images, "photo"),
    points > 0 && count(points, "point"),
    designs > 0 && count(designs, "design"),
    devices > 0 && count(devices, "device"),
  ];
  return parts.filter(Boolean).join(" · ") || "Empty";
}

/** "Loading 1.2 of 12.4 M points" */
export function loading(loaded: number, wanted: number): string {
  const [unit, name] = wanted >= 1e6 ? [1e6, " M"] : wanted >= 1e4 ? [1e3, " k"] : [1, ""];
  const digits = unit === 1 ? 0 : 1;
  return `Loading ${(loaded / unit).toFixed(digits)} of ${(wanted / unit).toFixed(digits)}${name} points`;
}

/** To two digits: what is said of a size is a guess. */
export function sizeInWords(sizeBytes: number): string {
  const [unit, name] = sizeBytes >= 1e9 ? [1e9, "GB"] : sizeBytes >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${Number(Math.max(1, sizeBytes / unit).toPrecision(2))} ${name}`;
}

/** Of a space that nobody has named. */
export function captureTitle(): string {
  return `Capture of ${new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(new Date())}`;
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** A hint is of use for the next few photos. */
const HINT_PHOTOS = 3;

/** What to do better at the next photo, while that is still news. */
export function newestHint(state: SpaceState): { seq: number; text: string } | undefined {
  const hint = state.hints?.at(-1);
  if (!hint) return undefined;
  const since = photosOf(state).filter(({ seq }) => seq > hint.seq).length;
  return since < HINT_PHOTOS ? { seq: hint.seq, text: adviceOfHint(hint) } : undefined;
}

/** A report, and the frame and what came of photos since in the generation that it is about, in a few lines. */
export function reportRows(
  { generation, photos, used, points, reprojection, tracks, graph, coverage }: Report,
  { published, cameras }: Partial<GenerationState> = {},
) {
  const name = (index: number) => photos[index]?.name ?? "?";
  const [link] = graph.weakLinks;
  const [, one = 0, ...more] = coverage.bySpreadViews;
  const since = Object.keys(cameras ?? {}).length - used;
  const rows: { name: string; text: string }[] = [
    { name: "Model", text: String(generation) },
    { name: "Photos", text: `${used} of ${photos.length} used` },
    ...(since > 0
      ? [{ name: "Since then", text: `${count(since, "photo")} placed, to be refined with all others` }]
      : []),
    ...(published ? frameInWords(published) : []),
    { name: "Error", text: `${reprojection.meanPx.toFixed(2)} px mean, ${reprojection.medianPx.toFixed(2)} px median` },
    { name: "Points", text: `${count(points, "point")}, each seen by ${tracks.meanViews.toFixed(1)} photos` },
    { name: "Pairs", text: `${count(graph.edges.length, "pair")} of photos with points in common` },
  ];
  if (graph.components.length > 1) {
    rows.push({ name: "Groups", text: `${graph.components.map((each) => each.photos.length).join(", ")} photos` });
  }
  if (link) {
    rows.push({
      name: "Weak",
      text: `${link.photos.map(name).join(" – ")}: ${link.parts.join(" and ")} photos hang together by it`,
    });
  }
  const many = more.reduce((sum, each) => sum + each, 0);
  rows.push({ name: "Coverage", text: `${many} of ${one + many} parts seen from two directions or more` });
  for (const { name: own, verdict, reason } of photos) {
    if (verdict !== "registered" && reason) rows.push({ name: own, text: ADVICE[reason] });
  }
  return rows;
}
