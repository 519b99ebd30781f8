/** The one way in for photos, over a real disk and the real decoder. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { openImageDecoder } from "@cairn/images";
import { CairnError, type EventDraft, type SpaceSettings } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { type IncomingPhoto, ingestImage } from "./ingest-image.ts";

const WIDTH = 8;
const HEIGHT = 6;

/** An 8 × 6 PNG (RFC 2083) of one grey; every `shade` is another file. */
function photo(shade: number): Uint8Array {
  const chunk = (kind: string, body: Uint8Array) => {
    const bytes = Buffer.alloc(body.length + 12);
    bytes.writeUInt32BE(body.length, 0);
    bytes.write(kind, 4, "latin1");
    bytes.set(body, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(4, body.length + 8)), body.length + 8);
    return bytes;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header[8] = 8;
  const rows = Buffer.alloc(HEIGHT * (WIDTH + 1), shade);
  for (let row = 0; row < HEIGHT; row++) rows[row * (WIDTH + 1)] = 0;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** `count` photos that nobody has judged yet. */
function waiting(count: number): EventDraft[] {
  return Array.from({ length: count }, (_, i) => ({
    type: "image.added",
    data: {
      image: idOf(i),
      blob: (i + 1).toString(16).padStart(64, "0"),
      mediaType: "image/png",
      name: `${i}.png`,
      sizeBytes: 100,
      width: WIDTH,
      height: HEIGHT,
      orientation: 1,
      source: "test",
    },
  }));
}

describe("ingest", () => {
  const decoder = openImageDecoder({ processes: 1 });
  after(() => decoder.close());

  type Place = { core: Core; space: Space; dataDir: string };

  async function open(t: Parameters<typeof temporaryFolder>[0], settings: Partial<SpaceSettings> = {}): Promise<Place> {
    const dataDir = await temporaryFolder(t);
    const core = await openCore({ dataDir });
    afterwards(t, () => core.close());
    return { core, space: await core.spaces.create({ id: "place", settings }), dataDir };
  }

  const take = ({ core, space }: Omit<Place, "dataDir">, bytes: Uint8Array, more: Partial<IncomingPhoto> = {}) =>
    ingestImage(core, space, { bytes, name: "a.png", source: "test", ...more }, decoder);

  const refusal = async (answer: Promise<unknown>) => {
    const error = await answer.then(
      () => assert.fail("it was taken"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof CairnError, String(error));
    return error;
  };

  const types = async (space: Space) => (await space.log.read(0, 1000)).map(({ type }) => type);

  test("HTTP-10 a receipt names what is in the log and on the disk, also for a server that starts later", async (t) => {
    const place = await open(t);
    const receipt = await take(place, photo(1), { name: "../../etc/x\u202egnp.png", key: "k", contributor: "Ann" });
    await place.core.close();
    const core = await openCore({ dataDir: place.dataDir });
    afterwards(t, () => core.close());
    const space = await core.spaces.open("place");
    const event = (await space.log.read(receipt.seq - 1, 1))[0];
    assert.ok(event?.type === "image.added");
    const { image, blob, name, width, height, mediaType, key, contributor } = event.data;
    assert.deepEqual([image, blob], [receipt.image, receipt.blob]);
    assert.deepEqual([name, width, height, mediaType], ["xgnp.png", WIDTH, HEIGHT, "image/png"]);
    assert.deepEqual([key, contributor, event.data.source], ["k", "Ann", "test"]);
    assert.deepEqual(await core.blobs.get(blob), photo(1));
    // The key still means that photo.
    assert.deepEqual(await take({ core, space }, photo(2), { key: "k" }), { ...receipt, known: true });
  });

  test("HTTP-11 one key sent many times at once is one image, and everyone gets its receipt", async (t) => {
    const place = await open(t);
    const receipts = await Promise.all(Array.from({ length: 8 }, () => take(place, photo(1), { key: "same" })));
    assert.equal(new Set(receipts.map(({ image, seq }) => `${image} ${seq}`)).size, 1);
    assert.equal(receipts.filter(({ known }) => !known).length, 1);
    assert.deepEqual(await types(place.space), ["space.created", "image.added"]);
  });

  test("HTTP-12 the same bytes at once: one is a photo, the others are its duplicates, each judged where it is added", async (t) => {
    const place = await open(t);
    const receipts = await Promise.all(Array.from({ length: 5 }, (_, i) => take(place, photo(1), { key: `k${i}` })));
    const first = receipts.filter(({ duplicateOf }) => duplicateOf === undefined);
    assert.equal(first.length, 1);
    for (const { image, duplicateOf, seq } of receipts) {
      if (image === first[0]!.image) continue;
      assert.equal(duplicateOf, first[0]!.image);
      const judged = (await place.space.log.read(seq, 1))[0];
      assert.deepEqual(judged?.type === "image.judged" && judged.data, {
        image,
        verdict: "rejected",
        reason: "duplicate",
        duplicateOf,
      });
    }
    assert.equal((await types(place.space)).length, 1 + 1 + 4 * 2);
  });

  test("a quota of images or bytes holds exactly, also for uploads at the same time", async (t) => {
    const images = await open(t, { maxImages: 3 });
    const answers = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => take(images, photo(i))));
    const refused = answers.flatMap((each) => (each.status === "rejected" ? [each.reason as CairnError] : []));
    assert.deepEqual(
      refused.map(({ code }) => code),
      ["space.quota", "space.quota", "space.quota"],
    );
    assert.equal((await types(images.space)).filter((type) => type === "image.added").length, 3);

    const { length } = photo(1);
    const bytes = await open(t, { maxBytes: length + 1 });
    await take(bytes, photo(1));
    assert.equal((await refusal(take(bytes, photo(2)))).code, "space.quota");
  });

  test("at most 1000 photos of a space wait for their verdict; one that is judged makes room", async (t) => {
    const place = await open(t);
    await place.space.log.append(waiting(999));
    const answers = await Promise.allSettled([1, 2, 3].map((shade) => take(place, photo(shade))));
    const refused = answers.flatMap((each) => (each.status === "rejected" ? [each.reason as CairnError] : []));
    assert.deepEqual(
      refused.map(({ code, retry, status, facts }) => [code, retry, status, facts.waiting]),
      Array(2).fill(["upload.too_many", true, 429, 1000]),
    );
    await place.space.log.append([
      { type: "image.judged", data: { image: idOf(0), verdict: "waiting", reason: "overlap" } },
    ]);
    assert.equal((await take(place, photo(4))).known, false);
    assert.equal((await refusal(take(place, photo(5)))).code, "upload.too_many");
  });

  test("a space that is deleted takes nothing more", async (t) => {
    const place = await open(t);
    const during = refusal(take(place, photo(1)));
    await place.core.spaces.delete("place");
    assert.equal((await during).code, "space.closed");
    assert.equal((await refusal(take(place, photo(2)))).code, "space.closed");
  });

  test("HTTP-15 a camera is for this photo's size, has its model's numbers and looks forward; else nothing is kept", async (t) => {
    const place = await open(t);
    const good = { model: "PINHOLE" as const, width: WIDTH, height: HEIGHT, params: [9, 9, 4, 3] };
    const wrong: Partial<IncomingPhoto>[] = [
      { camera: { ...good, width: HEIGHT, height: WIDTH } },
      { camera: { ...good, params: [9, 9, 4] } },
      { camera: { ...good, params: [-9, 9, 4, 3] } },
      { camera: { ...good, params: [9, 9, 4, Number.NaN] } },
      { camera: { ...good, model: "RADIAL" } },
      { cameraParams: [0, 9, 4, 3] },
      { cameraParams: [9, 9, 4, 3], cameraSize: { width: 80, height: 90 } },
    ];
    for (const [i, more] of wrong.entries()) {
      const { code, facts } = await refusal(take(place, photo(i), more));
      assert.equal(code, "request.invalid");
      assert.match(String(facts.field), /^camera/);
    }
    assert.deepEqual(await types(place.space), ["space.created"]);
    await take(place, photo(1), { cameraParams: [9, 9, 4, 3] });
    await take(place, photo(2), { camera: good });
    const cameraSize = { width: 10 * WIDTH, height: 10 * HEIGHT };
    await take(place, photo(3), { cameraParams: [90, 90, 40, 30], cameraSize });
    for (const { camera } of Object.values(place.space.log.snapshot().state.images)) assert.deepEqual(camera, good);
  });

  test("HTTP-16 what is no photo, and an upload that is given up, leave nothing", async (t) => {
    const place = await open(t);
    const bad: [Uint8Array, string][] = [
      [new Uint8Array(0), "image.empty"],
      [Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), "image.unsupported"],
      [photo(1).subarray(0, 50), "image.corrupt"],
    ];
    for (const [bytes, code] of bad) assert.equal((await refusal(take(place, bytes, { key: "k" }))).code, code);
    const gone = AbortSignal.abort(new CairnError("server.stopping"));
    const given = { bytes: photo(1), name: "a.png", source: "test", key: "k" };
    await assert.rejects(ingestImage(place.core, place.space, given, decoder, gone));
    assert.deepEqual(await types(place.space), ["space.created"]);
    // The key was not used up by what was refused.
    assert.equal((await take(place, photo(1), { key: "k" })).known, false);
  });

  for (const reason of ["failed", "cancelled"] as const) {
    test(`HTTP-11 HTTP-12 a photo with the verdict ${reason} is taken anew when it is sent again, with its key or without`, async (t) => {
      const at = await open(t);
      const bytes = photo(9);
      const judged = (image: string) =>
        at.space.log.append([{ type: "image.judged", data: { image, verdict: "rejected", reason } }]);
      const first = await take(at, bytes, { key: "k" });
      assert.equal((await take(at, bytes, { key: "k" })).known, true);
      await judged(first.image);
      const second = await take(at, bytes, { key: "k" });
      assert.deepEqual([second.known, second.duplicateOf], [false, undefined]);
      assert.equal((await take(at, bytes, { key: "k" })).image, second.image);
      assert.equal((await take(at, bytes)).duplicateOf, second.image);
      await judged(second.image);
      assert.equal((await take(at, bytes)).duplicateOf, undefined);
    });
  }
});
