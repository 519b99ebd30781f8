/** Records a stream without end in a process of its own, for tests that kill it: says how large its files are. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { openCore } from "../core.ts";
import { packetsOf, pictures } from "./recorded.ts";

const [dataDir] = process.argv.slice(2);
if (!dataDir) throw new RangeError("expected a data directory");
const core = await openCore({ dataDir });
const space = await core.spaces.create({ id: "place" });
const { recording } = await core.recordings.start(space, {});
const units = await pictures();
const producer = core.video.open({ source: "front", space: space.id });
const folder = join(dataDir, "recordings", recording);
for (let sent = 0; ; sent += units.length) {
  // Faster than life, as its times are: a fragment goes out once a second of the stream.
  for (const packet of packetsOf(units, sent)) producer.publish(packet);
  await space.rename(`after ${sent}`);
  const files = (await readdir(folder)).filter((name) => !name.endsWith(".json"));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, name))).size));
  process.stdout.write(`${JSON.stringify({ recording, sizes })}\n`);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
