/**
 * A process to be killed: `node layer-writer.js DATA_DIR` grows layer 1 of the space `place` by one chunk after the other,
 * for ever, while it is compacted in the background, and prints `pack N` for each that is acknowledged.
 */
import { writeSync } from "node:fs";
import { openCore } from "../core.ts";
import { CHUNK_POINTS, sheet } from "./sheet.ts";

const [dataDir = ""] = process.argv.slice(2);
const core = await openCore({ dataDir });
const known = (await core.spaces.list()).length > 0;
const space = known ? await core.spaces.open("place") : await core.spaces.create({ id: "place" });
const started = space.log.snapshot().state.layers[1] !== undefined;
const writer = started ? core.layers.writer(space, 1) : core.layers.start(space, { kind: "import", name: "sheet" });
writeSync(1, "ready\n");

for (;;) {
  const layer = space.log.snapshot().state.layers[1];
  const pack = layer ? (layer.index?.packs ?? 0) + layer.packs.length : 0;
  await space.log.append(await writer.insert([sheet(CHUNK_POINTS, pack + 1)]));
  writeSync(1, `pack ${pack}\n`);
}
