/** `cairn status`: how far a space is. */
import { CairnApi } from "@cairn/client";
import {
  adviceOfHint,
  DOUBTS,
  placeInWords,
  type SpaceState,
  scaleInWords,
  shownGeneration,
  shownLayers,
  uprightInWords,
} from "@cairn/protocol";
import { EXIT, interruption } from "./exit.ts";
import { apiOptions, reach } from "./server-url.ts";

export async function status(space: string, options: { server: string; json?: boolean }): Promise<number> {
  const api = new CairnApi(apiOptions(options.server));
  const { signal, release } = interruption();
  try {
    const { seq, state } = await reach(options.server, () => api.snapshot(space, { signal }));
    const summary = summarise(space, seq, state);
    process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : `${text(summary)}\n`);
    return EXIT.ok;
  } finally {
    release();
  }
}

function summarise(space: string, seq: number, state: SpaceState) {
  const images = Object.values(state.images);
  const count = (verdict: string) => images.filter((image) => image.verdict?.verdict === verdict).length;
  const newest = shownGeneration(state) ?? Object.values(state.generations).at(-1);
  return {
    space,
    title: state.title,
    seq,
    photos: {
      all: images.length,
      used: count("registered"),
      waiting: count("waiting"),
      notUsed: count("rejected"),
      unjudged: images.filter((image) => !image.verdict).length,
    },
    generation: newest?.generation ?? 0,
    cameras: Object.keys(newest?.cameras ?? {}).length,
    doubts: newest?.published?.doubts ?? [],
    upright: newest?.published?.upright ?? null,
    scale: newest?.published?.scale ?? null,
    georeference: newest?.published?.georeference ?? null,
    points: shownLayers(state).reduce((sum, layer) => sum + layer.points, 0),
    imports: shownLayers(state)
      .filter(({ kind }) => kind === "import")
      .map(({ layer, name, points }) => ({ layer, name, points })),
    hint: state.hints?.at(-1) ?? null,
    running: Object.values(state.operations)
      .filter(({ status: each }) => each === "queued" || each === "running")
      .map(({ kind, status: each, progress }) => ({ kind, status: each, ...(progress ? { progress } : {}) })),
  };
}

function text({
  space,
  title,
  photos,
  cameras,
  points,
  generation,
  doubts,
  upright,
  scale,
  georeference,
  imports,
  hint,
  running,
  seq,
}: ReturnType<typeof summarise>): string {
  const rest = [
    photos.waiting && `${photos.waiting} waiting for overlap`,
    photos.notUsed && `${photos.notUsed} not used`,
    photos.unjudged && `${photos.unjudged} to do`,
  ].filter(Boolean);
  return [
    title && title !== space ? `${space} (${title})` : space,
    `  photos   ${photos.used} of ${photos.all} used${rest.length ? `; ${rest.join(", ")}` : ""}`,
    `  model    ${cameras} cameras, ${points} points, generation ${generation}`,
    ...(upright || scale
      ? [`  frame    ${[upright && uprightInWords(upright), scale && scaleInWords(scale)].filter(Boolean).join("; ")}`]
      : []),
    ...(georeference ? [`  place    ${placeInWords(georeference)}`] : []),
    ...doubts.map((doubt) => `  doubtful ${DOUBTS[doubt]}`),
    ...imports.map(({ layer, name, points: all }) => `  layer ${layer}  ${name}: ${all} of the points`),
    `  at work  ${running.length ? running.map(({ kind, progress }) => [kind, progress?.stage].filter(Boolean).join(": ")).join("; ") : "nothing"}`,
    ...(hint ? [`  hint     ${adviceOfHint(hint)}`] : []),
    `  log      ${seq} events`,
  ].join("\n");
}
