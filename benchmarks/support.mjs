/** What the benchmarks share: where data is, which machine this is, how a median is taken. */
import { existsSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folder of a data set; ends the benchmark, loudly, where it is not there. */
export function dataset(name) {
  const folder = join(process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets"), name);
  if (!existsSync(folder)) {
    console.error(`SKIPPED: the data set ${name} is not in ${folder}; set CAIRN_DATASETS`);
    process.exit(2);
  }
  return folder;
}

export function machine() {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
