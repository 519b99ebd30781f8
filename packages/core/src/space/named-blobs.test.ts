/** What a collection of blobs spares, and what it leaves to others meanwhile. Rules: docs/spec/blobs.md. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Digest, EventDraft } from "@cairn/protocol";
import { openSpaceLog } from "../log/open-space-log.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { addNamedBlobs } from "./named-blobs.ts";

const digestOf = (n: number): Digest => n.toString(16).padStart(64, "0");

function added(n: number): EventDraft {
  const facts = { mediaType: "image/png", sizeBytes: 1, width: 4, height: 3, orientation: 1 };
  const data = { image: idOf(n), blob: digestOf(n), ...facts, name: `${n}`.padEnd(60, "."), source: "test" };
  return { type: "image.added", data };
}

/** Told of each name as it is found. */
class Names extends Set<Digest> {
  readonly #found: (digest: Digest) => void;

  constructor(found: (digest: Digest) => void) {
    super();
    this.#found = found;
  }

  override add(digest: Digest): this {
    this.#found(digest);
    return super.add(digest);
  }
}

const PHOTOS = 12_000;

/** One segment, some megabytes long. */
async function longLog(t: TestContext) {
  const log = await openSpaceLog(await temporaryFolder(t));
  afterwards(t, () => log.close());
  await log.append(Array.from({ length: PHOTOS }, (_, n) => added(n)));
  assert.equal(log.segmentPaths.length, 1);
  return log;
}

describe("the names of blobs", () => {
  test("BLOB-6 others have their turn while a long segment is looked through", async (t) => {
    const log = await longLog(t);
    let turn = 0;
    let looking = true;
    const count = () => {
      turn++;
      if (looking) setImmediate(count);
    };
    setImmediate(count);
    const turns = new Map<Digest, number>();
    await addNamedBlobs(log, new Names((digest) => turns.has(digest) || turns.set(digest, turn)));
    looking = false;
    assert.equal(turns.size, PHOTOS);
    assert.ok(new Set(turns.values()).size >= 8, `${new Set(turns.values()).size} turns`);
  });

  test("BLOB-7 an image that is removed while names are looked for counts as named until the next time", async (t) => {
    const log = await longLog(t);
    const [last, before] = [PHOTOS - 1, PHOTOS - 2];
    let removing: Promise<unknown> | undefined;
    let gone = false;
    const named = new Names((digest) => {
      removing ??= log.append([{ type: "image.removed", data: { image: idOf(last) } }]);
      if (digest === digestOf(before) && !Object.hasOwn(log.snapshot().state.images, idOf(last))) gone = true;
    });
    await addNamedBlobs(log, named);
    await removing;
    assert.ok(gone, "it was removed before its line was read");
    assert.ok(named.has(digestOf(last)));
    const later = new Set<Digest>();
    await addNamedBlobs(log, later);
    assert.ok(later.has(digestOf(before)) && !later.has(digestOf(last)));
  });
});
