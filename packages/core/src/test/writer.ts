/**
 * A process to be killed: `node writer.js DATA_DIR [no-sync]` appends to the space `place` and puts blobs, for ever, and
 * prints one line for each acknowledgement: `event TITLE` or `blob DIGEST TEXT`. With `no-sync` nothing is ever synced,
 * which a test must notice.
 */
import { writeSync } from "node:fs";
import { openCore } from "../core.ts";
import { openSegmentFile } from "../log/segment.ts";
import { renamed } from "./fixtures.ts";

const [dataDir = "", mode] = process.argv.slice(2);
const openSegment = async (path: string) => ({ ...(await openSegmentFile(path)), sync: async () => {} });
const core = await openCore({
  dataDir,
  log: { segmentBytes: 4000, ...(mode === "no-sync" ? { openSegment } : {}) },
});
const known = (await core.spaces.list()).length > 0;
const space = known ? await core.spaces.open("place") : await core.spaces.create({ id: "place" });
writeSync(1, "ready\n");

async function write(writer: number): Promise<void> {
  for (let i = 0; ; i++) {
    const title = `${process.pid}.${writer}.${i}`;
    const batch = [renamed(`${title}.a`), renamed(`${title}.b`)];
    await space.log.append(batch);
    writeSync(1, `event ${title}.a\nevent ${title}.b\n`);
    if (mode === "no-sync" || writer > 0) continue;
    const { digest } = await core.blobs.put(Buffer.from(title));
    writeSync(1, `blob ${digest} ${title}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(write));
