/** For tests of what is pushed: a floor that is shown, which of its parts came, and when there is no more to come. */
import { access } from "node:fs/promises";
import type { Part } from "@cairn/cloud";
import { floor, TestLayer, type Watcher } from "./cloud.ts";
import type { TestDoor } from "./live-door.ts";

export const partKey = ({ blob, start }: Pick<Part, "blob" | "start">) => `${blob.slice(0, 16)}/${start}`;

/** What the server may choose from. */
export const tableOf = (house: TestDoor, layer: number) => house.core.layers.tables.open(house.space, layer);

export async function segmentsPushed(house: TestDoor, watcher: Watcher, layer: number) {
  const table = await tableOf(house, layer);
  const parts = new Map(table.list.flatMap((node) => node.parts.map((part) => [partKey(part), { node, part }])));
  return watcher.pushed.flatMap((each) => parts.get(partKey(each)) ?? []);
}

/** So many jobs of the disk run at once in Node. */
const DISK_JOBS = 4;

/**
 * Resolves when the server has nothing more to send: it answers again and again, and so does the disk, in turn after what
 * the server asked of it, and nothing comes between.
 */
export async function quiet(watcher: Watcher): Promise<void> {
  for (let still = 0; still < 8; ) {
    const had = watcher.pushed.length;
    const pongs = watcher.client.of("pong").length;
    watcher.client.send({ type: "ping" });
    await watcher.client.until((client) => client.of("pong").length > pongs);
    await Promise.all(Array.from({ length: DISK_JOBS }, () => access(".")));
    await new Promise((resolve) => setTimeout(resolve, 15));
    still = watcher.pushed.length === had ? still + 1 : 0;
  }
}

export async function shownFloor(house: TestDoor, points = 20_000): Promise<TestLayer> {
  const layer = new TestLayer(house, 1, 1);
  await layer.start();
  await layer.publish();
  await layer.grow(floor(points, 1));
  return layer;
}
