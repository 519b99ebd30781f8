/** The last word on each photo, as people and as programs read it. */
import { ADVICE, DOUBTS, type Doubt, type Verdict } from "@cairn/protocol";
import { EXIT } from "./exit.ts";

export type Named = { readonly name: string; readonly verdict?: Verdict; readonly refused?: string };

/** One line: `03.jpg  used      0.41 px, 812 matches` */
export function verdictLine({ name, verdict, refused }: Named, nameWidth: number): string {
  const head = name.padEnd(nameWidth);
  if (refused !== undefined) return `${head}  refused   ${refused}`;
  if (!verdict) return `${head}  received`;
  if (verdict.verdict === "registered") {
    const error = verdict.reprojectionPx === undefined ? "" : `${verdict.reprojectionPx.toFixed(2)} px`;
    const matches = verdict.matches === undefined ? "" : `${verdict.matches} matches`;
    return `${head}  used      ${[error, matches].filter(Boolean).join(", ")}`.trimEnd();
  }
  return `${head}  ${verdict.verdict === "waiting" ? "waiting " : "not used"}  ${verdict.reason ? ADVICE[verdict.reason] : ""}`.trimEnd();
}

export function printVerdicts(photos: readonly Named[], doubts: readonly Doubt[] = []): void {
  const nameWidth = Math.max(...photos.map(({ name }) => name.length));
  for (const photo of photos) process.stdout.write(`${verdictLine(photo, nameWidth)}\n`);
  const used = photos.filter(({ verdict }) => verdict?.verdict === "registered").length;
  if (photos.some(({ verdict }) => verdict)) process.stdout.write(`${used} of ${photos.length} photos used\n`);
  for (const doubt of doubts) process.stdout.write(`doubtful: ${DOUBTS[doubt]}\n`);
}

/**
 * 0 when all are used (or nobody waited to know), 3 when some are not, 1 when one was refused or lost; 4 when all are
 * used and the model must not be relied on.
 */
export function exitCodeOf(photos: readonly Named[], doubts: readonly Doubt[] = []): number {
  if (photos.some(({ refused }) => refused !== undefined)) return EXIT.failed;
  if (photos.some(({ verdict }) => verdict && verdict.verdict !== "registered")) return EXIT.someNotUsed;
  return doubts.length > 0 ? EXIT.doubtful : EXIT.ok;
}
