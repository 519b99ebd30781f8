/** `cairn report`: what a model rests on and where it is weak, in a screenful. */
import { CairnApi } from "@cairn/client";
import { ADVICE, DOUBTS, type Report, type ReportPhoto } from "@cairn/protocol";
import { EXIT, interruption } from "./exit.ts";
import { apiOptions, reach } from "./server-url.ts";

/** Lines of a kind that may be many. */
const MOST = 8;
const BARS = "▁▂▃▄▅▆▇█";

export async function report(space: string, options: { server: string; json?: boolean }): Promise<number> {
  const api = new CairnApi(apiOptions(options.server));
  const { signal, release } = interruption();
  try {
    const made = await reach(options.server, () => api.report(space, { signal }));
    process.stdout.write(options.json ? `${JSON.stringify(made)}\n` : `${reportText(space, made)}\n`);
    return EXIT.ok;
  } finally {
    release();
  }
}

export function reportText(space: string, made: Report): string {
  const { photos, points, reprojection, tracks, graph, lenses, coverage } = made;
  const name = (index: number) => photos[index]?.name ?? "?";
  const rows: [string, string][] = [["photos", `${made.used} of ${photos.length} used`]];
  for (const photo of shortened(photos.filter(({ verdict }) => verdict !== "registered"))) {
    rows.push(["", typeof photo === "string" ? photo : unused(photo, name)]);
  }
  const { meanPx, medianPx, histogramPx } = reprojection;
  const reach = histogramPx.bin * histogramPx.counts.length;
  rows.push(["error", `${meanPx.toFixed(2)} px mean, ${medianPx.toFixed(2)} median`]);
  if (points > 0) rows.push(["", `${bars(histogramPx.counts)}  0 to ${reach} px`]);
  rows.push(["points", `${points}, each seen by ${tracks.meanViews.toFixed(1)} photos`]);
  if (points > 0) rows.push(["", `${bars(tracks.counts.slice(2))}  2 to ${tracks.counts.length - 1} photos`]);
  const unsure = [...photos].sort((a, b) => (b.sigma?.position ?? 0) - (a.sigma?.position ?? 0))[0];
  if (unsure?.sigma) {
    const { position, rotationDeg } = unsure.sigma;
    rows.push(["poses", `least sure ${unsure.name}: ±${position.toPrecision(2)} and ${rotationDeg.toPrecision(2)}°`]);
  }
  const broken = graph.edges.filter(({ agrees }) => agrees === false).length;
  rows.push([
    "pairs",
    [
      `${graph.edges.length}`,
      broken > 0 && `${broken} against the model`,
      graph.components.length > 1 &&
        `${graph.components.length} groups of ${graph.components.map((each) => each.photos.length).join(", ")} photos`,
    ]
      .filter(Boolean)
      .join("; "),
  ]);
  for (const link of shortened(graph.weakLinks)) {
    rows.push([
      "weak",
      typeof link === "string"
        ? link
        : `${link.photos.map(name).join(" – ")}: ${link.parts.join(" and ")} photos hang together by it`,
    ]);
  }
  for (const { source, focalPx, sigmaPx, certain, toldPx, photos: taken } of lenses) {
    rows.push([
      "lens",
      `${focalPx.toFixed(1)} ± ${sigmaPx.toFixed(1)} px, ${source}${certain ? "" : ", uncertain"}; ${taken} photos${toldPx === undefined ? "" : `, which tell about ${toldPx.toFixed(0)} px`}`,
    ]);
  }
  const [, one = 0, two = 0, ...more] = coverage.bySpreadViews;
  const many = more.reduce((sum, each) => sum + each, 0);
  rows.push([
    "surface",
    `${coverage.patches} patches: ${one} seen from one direction, ${two} from two, ${many} from more`,
  ]);
  for (const doubt of made.doubts) rows.push(["doubt", DOUBTS[doubt]]);
  return [`${space}, generation ${made.generation}`, ...rows.map(([head, text]) => `  ${head.padEnd(8)} ${text}`)].join(
    "\n",
  );
}

function unused({ name: own, verdict, reason, nearest }: ReportPhoto, name: (index: number) => string): string {
  const like = nearest ? ` Most like ${name(nearest.photo)}: ${nearest.matches} matches.` : "";
  return `${own}: ${verdict === "unjudged" ? "not looked at yet" : reason ? ADVICE[reason] : verdict}${like}`;
}

function shortened<T>(items: readonly T[]): (T | string)[] {
  return items.length <= MOST ? [...items] : [...items.slice(0, MOST - 1), `and ${items.length - MOST + 1} more`];
}

function bars(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return counts.map((n) => (n === 0 ? " " : BARS[Math.ceil((n / most) * BARS.length) - 1])).join("");
}
