/** Versions of images and edits of many, over a real disk and the real decoder. Rules: docs/spec/images.md. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { openImageDecoder } from "@cairn/images";
import { CairnError, type CairnEvent, photoNumbers, shownVersion } from "@cairn/protocol";
import sharp from "sharp";
import { type Core, openCore } from "../core.ts";
import { ingestImage } from "../ingest/ingest-image.ts";
import { startReconstructor } from "../reconstruct/reconstructor.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { SceneEngine } from "../test/scene-engine.ts";
import { openEdits } from "./bulk-edits.ts";
import { changeImage, type Editing, removeImage, showVersion, undoImage } from "./versions.ts";

function gate(): { open: () => void; opened: Promise<void> } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

const TURN = { name: "rotate", degrees: 90 } as const;

describe("images after they came", () => {
  const decoder = openImageDecoder({ processes: 1 });
  after(() => decoder.close());

  async function place(dataDir: string): Promise<{ core: Core; space: Space; house: Editing }> {
    const core = await openCore({ dataDir });
    const space = await core.spaces
      .create({ id: "s", settings: { reconstruct: false } })
      .catch(() => core.spaces.open("s"));
    return { core, space, house: { blobs: core.blobs, decoder, space } };
  }

  async function add({ core, space }: { core: Core; space: Space }, shade: number): Promise<string> {
    const background = { r: shade, g: 0, b: 0 };
    const bytes = await sharp({ create: { width: 20, height: 10, channels: 3, background } })
      .png()
      .toBuffer();
    const name = `${shade}.png`;
    return (await ingestImage(core, space, { bytes, name, source: "test" }, decoder)).image;
  }

  const images = ({ log }: Space) => log.snapshot().state.images;

  async function events({ log }: Space): Promise<CairnEvent[]> {
    return log.read(0, 5000);
  }

  test("EDIT-1 EDIT-2 EDIT-3 EDIT-5 changes at once are all there, each made of the one before; any can be shown again", async (t) => {
    const at = await place(await temporaryFolder(t));
    afterwards(t, () => at.core.close());
    const image = await add(at, 1);
    const half = { name: "resize", width: 10, height: 4 } as const;
    await Promise.all([changeImage(at.house, image, TURN), changeImage(at.house, image, half)]);
    const state = images(at.space)[image]!;
    assert.deepEqual(
      state.versions?.map(({ version, from, width, height, change }) => [version, from, width, height, change.name]),
      [
        [1, 0, 10, 20, "rotate"],
        [2, 1, 10, 4, "resize"],
      ],
    );
    assert.equal((await undoImage(at.house, image)).version, 1);
    assert.equal(shownVersion(images(at.space)[image]!).height, 20);
    assert.equal(shownVersion(await undoImage(at.house, image)).blob, state.blob);
    await assert.rejects(undoImage(at.house, image), { code: "image.no_change" });
    assert.equal((await showVersion(at.house, image, 2)).versions?.length, 2);
    await assert.rejects(showVersion(at.house, image, 7), { code: "image.version" });
    // A change of an earlier version leaves the later ones where they are.
    await showVersion(at.house, image, 0);
    assert.deepEqual((await changeImage(at.house, image, TURN)).versions?.at(-1)?.from, 0);
    const used = state.versions!.reduce((sum, { sizeBytes }) => sum + sizeBytes, state.sizeBytes);
    await at.space.configure({ maxBytes: used + 1 });
    await assert.rejects(changeImage(at.house, image, TURN), { code: "space.quota" });
  });

  test("EDIT-4 a removed image takes its bytes along, not its number; a copy is a photo of its own", async (t) => {
    const at = await place(await temporaryFolder(t));
    afterwards(t, () => at.core.close());
    const [first, copy, other, last] = [await add(at, 1), await add(at, 1), await add(at, 2), await add(at, 3)];
    assert.equal(images(at.space)[copy]?.verdict?.duplicateOf, first);
    const changed = await changeImage(at.house, other, TURN);
    await Promise.all([removeImage(at.house, first), removeImage(at.house, other)]);
    assert.deepEqual(Object.keys(images(at.space)), [copy, last]);
    assert.equal(images(at.space)[copy]?.verdict, undefined);
    assert.deepEqual(
      [...photoNumbers(at.space.log.snapshot().state)],
      [
        [copy, 2],
        [last, 4],
      ],
    );
    await assert.rejects(removeImage(at.house, first), { code: "image.missing" });
    await at.core.collect(0);
    for (const blob of [changed.blob, shownVersion(changed).blob]) {
      await assert.rejects(at.core.blobs.get(blob), { code: "blob.missing" });
    }
    // The same bytes as the copy's.
    await at.core.blobs.get(images(at.space)[copy]!.blob);
    assert.equal((await ingestAgain(at, copy)).duplicateOf, copy);
  });

  test("EDIT-4 HTTP-12 bytes that come while their first photo is being removed are no copy of it", async (t) => {
    const at = await place(await temporaryFolder(t));
    afterwards(t, () => at.core.close());
    const first = await add(at, 1);
    const [stored, removing] = [gate(), gate()];
    const put = async (bytes: Uint8Array) => {
      const blob = await at.core.blobs.put(bytes);
      stored.open();
      await removing.opened;
      return blob;
    };
    const bytes = await at.core.blobs.get(images(at.space)[first]!.blob);
    const house = { blobs: Object.create(at.core.blobs, { put: { value: put } }) };
    const upload = ingestImage(house, at.space, { bytes, name: "again.png", source: "test" }, decoder);
    await stored.opened;
    await removeImage(at.house, first, async (events) => {
      const said = at.space.log.append(events);
      removing.open();
      await said;
    });
    const { image, duplicateOf } = await upload;
    assert.equal(duplicateOf, undefined);
    assert.equal(images(at.space)[image]?.verdict, undefined);
  });

  async function ingestAgain({ core, space }: { core: Core; space: Space }, image: string) {
    const bytes = await core.blobs.get(images(space)[image]!.blob);
    return ingestImage(core, space, { bytes, name: "again.png", source: "test" }, decoder);
  }

  test("EDIT-6 EDIT-7 OPS-3 one step an image, a bad one is said, and cancelling keeps what is done", async (t) => {
    const at = await place(await temporaryFolder(t));
    afterwards(t, () => at.core.close());
    const ids = [await add(at, 1), await add(at, 2), await add(at, 3)];
    const edits = openEdits(at.core, decoder, assert.fail);
    await assert.rejects(edits.start(at.space, ["nobody"], TURN), { code: "image.missing" });
    const { operation } = await edits.start(at.space, ids, TURN);
    await removeImage(at.house, ids[2]!);
    await ended(at.space, operation);
    const steps = (await events(at.space)).filter(({ type }) => type !== "image.added" && type !== "space.created");
    assert.deepEqual(
      steps.map(({ type, data }) => ("done" in data ? `${data.done} ${data.problem?.code ?? ""}` : type)),
      [
        "operation.queued",
        ...(steps[1]?.type === "image.removed"
          ? ["image.removed", "operation.started"]
          : ["operation.started", "image.removed"]),
        "image.changed",
        "1 ",
        "image.changed",
        "2 ",
        "3 image.missing",
        "operation.completed",
      ],
    );
    assert.deepEqual(at.space.log.snapshot().state.operations[operation]?.result, { succeeded: 2, failed: 1 });

    const stopped = await edits.start(at.space, ids.slice(0, 2), { name: "flip", direction: "vertical" });
    await untilEvent(at.space, ({ type, data }) => type === "image.changed" && data.operation === stopped.operation);
    await at.space.operations.cancel(stopped.operation);
    const { status, progress } = at.space.log.snapshot().state.operations[stopped.operation]!;
    assert.equal(status, "cancelled");
    const done = (await events(at.space)).filter(
      ({ type, data }) => type === "image.changed" && data.operation === stopped.operation,
    );
    assert.equal(done.length, progress?.done);
    await removeImage(at.house, ids[0]!);
    const nothing = await edits.start(at.space, [ids[1]!], { name: "resize", width: 100_000, height: 100_000 });
    await ended(at.space, nothing.operation);
    assert.equal(at.space.log.snapshot().state.operations[nothing.operation]?.error?.code, "image.none_changed");
  });

  test("EDIT-8 OPS-5 an operation with a plan goes on after a stop, and no image is done twice", async (t) => {
    const dataDir = await temporaryFolder(t);
    let at = await place(dataDir);
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push(await add(at, i));
    const { operation } = await openEdits(at.core, decoder, assert.fail).start(at.space, ids, TURN);
    await untilEvent(at.space, ({ type }) => type === "operation.progressed");
    await at.core.close();

    at = await place(dataDir);
    afterwards(t, () => at.core.close());
    assert.equal(at.space.log.snapshot().state.operations[operation]?.endedNs, undefined);
    openEdits(at.core, decoder, assert.fail);
    await ended(at.space, operation);
    const all = await events(at.space);
    assert.deepEqual(
      all.flatMap(({ type, data }) => (type === "image.changed" ? [data.image] : [])),
      ids,
    );
    assert.deepEqual(
      all.flatMap(({ type, data }) => (type === "operation.progressed" ? [data.done] : [])),
      [1, 2, 3, 4, 5, 6],
    );
    assert.equal(all.filter(({ type }) => type === "operation.started").length, 1);
    assert.equal(all.at(-1)?.type, "operation.completed");
  });

  test("EDIT-9 photos lie there until they are to be reconstructed; one that is removed is not missed", async (t) => {
    const at = await place(await temporaryFolder(t));
    const engine = new SceneEngine();
    const reconstructor = startReconstructor({
      core: at.core,
      decode: (bytes, options) => decoder.decode(bytes, options),
      openEngine: async () => engine,
      cache: { get: async () => undefined, put: async () => {} },
      settleMs: 10,
      onError: (error) => assert.fail(String(error)),
    });
    afterwards(t, () => at.core.close());
    afterwards(t, () => reconstructor.close());
    const ids = [await add(at, 1), await add(at, 2), await add(at, 3), await add(at, 4)];
    await removeImage(at.house, ids[1]!);
    await at.space.configure({ rebuildWhenIdle: false });
    assert.deepEqual(engine.given, []);
    await at.space.configure({ reconstruct: true });
    await untilEvent(at.space, ({ type, data }) => type === "image.judged" && data.image === ids[3]);
    assert.deepEqual(engine.given, [ids[0], ids[2], ids[3]]);
    await removeImage(at.house, ids[0]!);
    const { state } = at.space.log.snapshot();
    assert.deepEqual(Object.keys(state.generations[state.generation]!.cameras), [ids[2], ids[3]]);
  });
});

/** Resolves at the first event of the log, old or new, of which this is true. */
async function untilEvent({ log }: Space, wanted: (event: CairnEvent) => boolean): Promise<void> {
  for await (const events of log.follow(0)) if (events.some(wanted)) return;
  throw new CairnError("server.stopping");
}

async function ended(space: Space, operation: string): Promise<void> {
  const ends = new Set(["operation.completed", "operation.failed", "operation.cancelled"]);
  await untilEvent(space, ({ type, data }) => ends.has(type) && "operation" in data && data.operation === operation);
}
