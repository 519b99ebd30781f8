/**
 * Whether the photos that truly overlap are among those a new photo is compared with: each photo against all before it,
 * in file order. A true neighbour is an earlier photo with at least 40 matches that two-view geometry bears out, found
 * by comparing all features with all; of these the eight strongest count.
 *
 *     node benchmarks/retrieval.mjs [SET…] [--photos N]
 *
 * Also what comparing only features that share a word loses against comparing all, and what each costs.
 */
import { parseArgs } from "node:util";
import { estimateRelativePose, seededRandom } from "@cairn/geometry";
import { openExtractor } from "../packages/reconstruct/dist/features/extractor.js";
import { openMatcher } from "../packages/reconstruct/dist/features/matcher.js";
import { PhotoIndex } from "../packages/reconstruct/dist/features/photo-index.js";
import { Vocabulary } from "../packages/reconstruct/dist/features/vocabulary.js";
import { openSet, readPhotos } from "./lib/photo-sets.mjs";
import { machine } from "./support.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { photos: { type: "string", default: "60" } },
});
const sets = positionals.length ? positionals : ["castle-P19", "brighton", "fountain-P11", "sevenscenes-rgbd"];
const SHORTLISTS = [8, 16, 32];
const NEIGHBOURS = 8;
const TRUE_MATCHES = 40;

const extractor = openExtractor();
const matcher = openMatcher();

function timed(costs, name, work) {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  costs[name] = (costs[name] ?? 0) + (user + system) / 1000;
  return result;
}

/** Matches that agree with one epipolar geometry; the focal length is taken as 0.9 of the long side. */
function agreeing(a, b, matches) {
  const n = matches.length / 2;
  if (n < 25) return 0;
  const focal = 0.9 * Math.max(a.widthPx, a.heightPx);
  const rays = (photo, side) =>
    Float64Array.from({ length: 2 * n }, (_, k) => {
      const feature = matches[2 * (k >> 1) + side];
      const { x, y } = photo.features;
      return k % 2 === 0 ? (x[feature] - photo.widthPx / 2) / focal : (y[feature] - photo.heightPx / 2) / focal;
    });
  const found = estimateRelativePose(rays(a, 0), rays(b, 1), { random: seededRandom(1), maxError: 3 / focal });
  return found && found.inlierCount >= 0.3 * n ? found.inlierCount : 0;
}

console.log(machine());
console.log(
  `| set | photos | neighbours | ${SHORTLISTS.map((k) => `among ${k}`).join(" | ")} | matches kept | ms all, by words |`,
);
console.log(`|${" --- |".repeat(5 + SHORTLISTS.length)}`);
for (const name of sets) {
  const set = openSet(name, { first: Number(options.photos) });
  if (!set) {
    console.log(`| ${name} | SKIPPED: not found |`);
    continue;
  }
  const photos = await readPhotos(set);
  for (const photo of photos)
    photo.features = extractor.extract(photo.rgb, photo.widthPx, photo.heightPx, { maxFeatures: 4000 });
  const vocabulary = Vocabulary.of(photos.slice(0, 3).map(({ features }) => features));
  const index = new PhotoIndex();
  for (const photo of photos) {
    photo.words = vocabulary.wordsOf(photo.features);
    index.add(photo.features, photo.words, vocabulary.centres);
  }
  const costs = {};
  const found = SHORTLISTS.map(() => 0);
  let neighbours = 0;
  let [all, byWords, pairs] = [0, 0, 0];
  for (const [i, photo] of photos.entries()) {
    const truth = [];
    for (let j = 0; j < i; j++) {
      const other = photos[j];
      const exact = timed(costs, "all", () => matcher.match(photo.features, other.features));
      const wordy = timed(costs, "words", () =>
        matcher.match({ ...photo.features, words: photo.words }, { ...other.features, words: other.words }),
      );
      pairs++;
      const right = agreeing(photo, other, exact);
      if (right < TRUE_MATCHES) continue;
      truth.push({ j, right });
      all += right;
      byWords += agreeing(photo, other, wordy);
    }
    const alike = index.alike(i, Math.max(...SHORTLISTS));
    for (const { j } of truth.sort((p, q) => q.right - p.right).slice(0, NEIGHBOURS)) {
      neighbours++;
      for (const [k, most] of SHORTLISTS.entries()) if (alike.indexOf(j) >= 0 && alike.indexOf(j) < most) found[k]++;
    }
  }
  const share = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
  const each = [costs.all, costs.words].map((ms) => (ms / pairs).toFixed(1)).join(", ");
  const row = [name, photos.length, neighbours, ...found.map((n) => share(n, neighbours)), share(byWords, all), each];
  console.log(`| ${row.join(" | ")} |`);
}
