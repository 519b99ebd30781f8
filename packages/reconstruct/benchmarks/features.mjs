/**
 * CPU time of features and matches, one thread, on fountain-P11 at 1600 × 1067.
 * node packages/reconstruct/benchmarks/features.mjs [--max-features 3000] [--upsample]
 * The set: shared/datasets beside the repository, or CAIRN_DATASETS.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { openExtractor, openMatcher } from "../dist/index.js";

const { values } = parseArgs({ options: { "max-features": { type: "string" }, upsample: { type: "boolean" } } });
const options = { maxFeatures: Number(values["max-features"] ?? 3000), upsample: values.upsample ?? false };
const beside = fileURLToPath(new URL("../../../../shared/datasets", import.meta.url));
const folder = join(process.env.CAIRN_DATASETS ?? beside, "fountain-P11/images");

const extractor = openExtractor();
const matcher = openMatcher();
const extractMs = [];
const matchMs = [];

/** Notes the CPU time of a call, milliseconds. */
function timed(times, call) {
  const before = process.cpuUsage();
  const result = call();
  const { user, system } = process.cpuUsage(before);
  times.push((user + system) / 1000);
  return result;
}

const features = [];
for (const name of readdirSync(folder).sort()) {
  const { data, info } = await sharp(join(folder, name)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  features.push(timed(extractMs, () => extractor.extract(data, info.width, info.height, options)));
}
let matches = 0;
for (let i = 1; i < features.length; i++) {
  matches += timed(matchMs, () => matcher.match(features[i - 1], features[i])).length / 2;
}
const retrievalMs = [];
for (const other of features) timed(retrievalMs, () => matcher.match(features[0], other, { first: 400 }));

const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
const line = (label, times) =>
  console.log(
    `${label.padEnd(28)} median ${median(times).toFixed(1)} ms, worst ${Math.max(...times).toFixed(1)} ms CPU`,
  );
line(`extract (${features[0].count} features)`, extractMs);
line("match, next photo", matchMs);
line("match, first 400", retrievalMs);
console.log(`${"matches to the next photo".padEnd(28)} mean ${Math.round(matches / matchMs.length)}`);
