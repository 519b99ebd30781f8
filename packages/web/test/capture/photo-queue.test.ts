/** What the phone keeps until the server has it: with a shelf in memory, and a server that answers as it is told. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect, type SocketLike } from "@cairn/client";
import { CLOSE } from "@cairn/protocol";
import type { isWaiting as IsWaiting, PhotoQueue as Queue } from "../../dist-types/capture/photo-queue.js";
import type { KeptPhoto, PhotoShelf } from "../../dist-types/capture/photo-shelf.js";
import { pageModule } from "../page-module.ts";

type Answer = (asked: number, address: string) => Response | Promise<Response>;

const { PhotoQueue, isWaiting } = await pageModule<{ PhotoQueue: typeof Queue; isWaiting: typeof IsWaiting }>(
  "capture/photo-queue.ts",
);

const SPACE = "yard";
const PHOTOS = 6;
/** Short, so that a test sees several. */
const RETRY = { firstMs: 5, maxMs: 20 };

type TestShelf = PhotoShelf & { facts: Map<string, KeptPhoto>; photos: Map<string, ArrayBuffer> };

/** @param count photos of an earlier visit lie on it */
function shelfOf(count = PHOTOS): TestShelf {
  const facts = new Map<string, KeptPhoto>();
  const photos = new Map<string, ArrayBuffer>();
  const put = async (photo: KeptPhoto, bytes: ArrayBuffer) => {
    facts.set(photo.key, photo);
    photos.set(photo.key, bytes);
  };
  for (let i = 0; i < count; i++) {
    const photo = { key: `k${i}`, space: SPACE, name: `${i}.jpg`, takenMs: i, sizeBytes: 3 };
    void put(photo, new Uint8Array([1, 2, i]).buffer);
  }
  return {
    ...{ facts, photos, put, lasting: true },
    list: async () => [...facts.values()],
    bytes: async (key) => photos.get(key),
    async settle(photo) {
      facts.set(photo.key, photo);
      photos.delete(photo.key);
    },
    async remove(key) {
      facts.delete(key);
      photos.delete(key);
    },
  };
}

const noThumbnail = async () => undefined;

const taken: Answer = (asked) => Response.json({ image: `image-${asked}` }, { status: 201 });
const refused = (code: string, status: number) => Response.json({ code }, { status });
/** As a proxy in front of the server answers. */
const html = (status: number) => new Response("<html>", { status });

/** A socket that opens, and is closed with `code` at once; without a code it never opens. */
function socketThat(code: number | undefined) {
  return class implements SocketLike {
    readyState = 0;
    binaryType = "arraybuffer";
    onopen: (() => void) | null = null;
    onmessage: ((message: { data: unknown }) => void) | null = null;
    onclose: ((event: { code: number }) => void) | null = null;
    onerror: (() => void) | null = null;
    constructor() {
      if (code === undefined) return;
      setImmediate(() => {
        this.readyState = 1;
        this.onopen?.();
        setImmediate(() => this.onclose?.({ code }));
      });
    }
    send() {}
    close() {}
  };
}

/** `patient`: as a page tries again, not as a test does. */
type VisitOptions = { closedWith?: number | undefined; patient?: boolean };

/** One visit: what lies on the shelf is being sent. */
async function visit(shelf: PhotoShelf, answer: Answer, { closedWith, patient }: VisitOptions = {}) {
  let asked = 0;
  const connection = connect({
    url: "http://server",
    space: SPACE,
    WebSocket: socketThat(closedWith),
    fetch: async (address) => answer(asked++, `${address}`),
    backoff: RETRY,
  });
  const queue = new PhotoQueue(connection, shelf, patient ? undefined : RETRY);
  await queue.start();
  return {
    queue,
    asked: () => asked,
    end() {
      queue.stop();
      connection.close();
    },
  };
}

/** Resolves at the change after which it is so. */
function whenever(queue: Queue, holds: () => boolean): Promise<void> {
  if (holds()) return Promise.resolve();
  return new Promise((resolve) => {
    const off = queue.subscribe(() => {
      if (!holds()) return;
      off();
      resolve();
    });
  });
}

const arrived = ({ items }: Queue) => items.every(({ image }) => image !== undefined);
/** What the strip has to say of photos that are not there. */
const told = ({ items }: Queue) => items.flatMap(({ held, refusal }) => held?.why ?? refusal ?? []);

/** What went wrong once loses nothing: it is said, and the next visit sends all of it. */
async function losesNothing(answer: Answer, words: RegExp, closedWith?: number): Promise<void> {
  const shelf = shelfOf();
  const first = await visit(shelf, answer, { closedWith });
  await whenever(first.queue, () => told(first.queue).length > 0);
  assert.match(told(first.queue)[0] ?? "", words);
  first.end();
  assert.equal(shelf.photos.size, PHOTOS, "photos whose bytes are kept");
  assert.equal(first.queue.items.filter(isWaiting).length, PHOTOS);

  const second = await visit(shelf, taken);
  await whenever(second.queue, () => arrived(second.queue));
  assert.equal(second.asked(), PHOTOS);
  assert.equal(shelf.photos.size, 0);
  second.end();
}

describe("the photo queue", () => {
  const never: Answer = () => Promise.reject(new TypeError("Failed to fetch"));

  for (const [name, code, words] of [
    ["the token is not known any more", CLOSE.unauthenticated, /token is not known/],
    ["the token does not allow it", CLOSE.forbidden, /token does not allow/],
    ["the space is gone", CLOSE.missing, /No such space/],
    ["the server closes it for good", CLOSE.normal, /closed/],
  ] as const) {
    test(`CAP-2 a connection that ends for good lets go of no photo: ${name}`, () => losesNothing(never, words, code));
  }

  for (const [name, answer, words] of [
    ["a token that is not known", () => refused("auth.required", 401), /token is not known/],
    ["a token that may not", () => refused("auth.forbidden", 403), /token does not allow/],
    ["401 of a proxy", () => html(401), /token is not known/],
    ["413 of a proxy", () => html(413), /over the limit/],
    ["404 of a proxy", () => html(404), /Nothing answers/],
    ["a space that is full", () => refused("space.quota", 413), /quota is used up/],
    ["a decoder that is too slow just now", () => refused("image.too_slow", 422), /too long to decode/],
  ] as const) {
    test(`CAP-2 an answer that is not about the photo lets go of none: ${name}`, () => losesNothing(answer, words));
  }

  test("CAP-2 what is put right meanwhile is enough: they are sent without another visit", async () => {
    const shelf = shelfOf();
    const { queue, end } = await visit(shelf, (asked, address) =>
      asked < 5 ? refused("space.quota", 413) : taken(asked, address),
    );
    await whenever(queue, () => told(queue).length > 0);
    await whenever(queue, () => arrived(queue));
    assert.equal(told(queue).length, 0, "and nothing is said of it any more");
    assert.equal(shelf.photos.size, 0);
    end();
  });

  test("CAP-2 one that a proxy finds too large holds up no other", async () => {
    const shelf = shelfOf();
    let large = 0;
    const { queue, end } = await visit(shelf, (asked, address) => {
      if (!address.includes("name=0.jpg")) return taken(asked, address);
      large++;
      return html(413);
    });
    await whenever(queue, () => queue.items.filter(isWaiting).length === 1 && large > 2);
    assert.deepEqual([...shelf.photos.keys()], ["k0"]);
    end();
  });

  test("CAP-2 while nothing is taken, one photo at a time is tried, ever more seldom", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const shelf = shelfOf(80);
    const { queue, asked, end } = await visit(shelf, () => html(401), { patient: true });
    for (let s = 0; s < 3600; s += 10) {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
      if (s === 0) assert.equal(asked(), 2);
      t.mock.timers.tick(10_000);
    }
    assert.ok(asked() >= 12 && asked() <= 60, `${asked()} in an hour`);
    assert.equal(shelf.photos.size, 80);
    assert.ok(queue.items.every(isWaiting));
    end();
  });

  test("CAP-2 a photo that can never be taken is said to be refused, and only its bytes go", async () => {
    const shelf = shelfOf(3);
    const { queue, end } = await visit(shelf, (asked, address) =>
      address.includes("name=0.jpg") ? refused("image.corrupt", 422) : taken(asked, address),
    );
    await whenever(queue, () => !queue.items.some(isWaiting));
    assert.deepEqual(
      queue.items.map(({ refusal }) => refusal !== undefined),
      [true, false, false],
    );
    assert.equal(shelf.photos.size, 0);
    end();
  });

  test("CAP-2 however many are chosen at once, no more wait than may", async () => {
    const { queue, end } = await visit(shelfOf(0), () => new Promise<Response>(() => {}));
    const large = () => ({ size: 5e6, type: "image/jpeg", arrayBuffer: async () => new ArrayBuffer(1) }) as Blob;
    const added = await Promise.allSettled(Array.from({ length: 300 }, () => queue.add(large(), noThumbnail)));
    const kept = added.filter(({ status }) => status === "fulfilled").length;
    assert.deepEqual([kept, queue.items.length], [83, 83]);
    assert.ok(queue.waitingBytes <= 400 * 2 ** 20, `${queue.waitingBytes}`);
    end();
  });

  test("CAP-2 chosen photos are taken one at a time; how many were left out is said", async () => {
    const shelf = shelfOf(0);
    const { queue, end } = await visit(shelf, () => new Promise<Response>(() => {}));
    let [decoding, most] = [0, 0];
    const thumbnail = async () => {
      most = Math.max(most, ++decoding);
      await new Promise((resolve) => setImmediate(resolve));
      decoding--;
      return undefined;
    };
    const unreadable = { size: 1, type: "image/jpeg", arrayBuffer: () => Promise.reject(new Error("It is gone.")) };
    const photos = [new Blob(["1"]), unreadable as unknown as Blob, new Blob(["2"]), new Blob(["3"])];
    await assert.rejects(queue.addAll(photos, thumbnail), /^Error: 1 photo of 4 was left out\. It is gone\.$/);
    assert.deepEqual([most, shelf.photos.size], [1, 3]);
    await queue.addAll(photos.slice(2), thumbnail);
    await assert.rejects(queue.addAll(photos.slice(1, 2), thumbnail), /^Error: It is gone\.$/);
    assert.equal(queue.waitingBytes, 5, "nothing stays reserved");
    end();
  });

  test("CAP-2 what another window sent or threw away is neither sent nor put back", async () => {
    const shelf = shelfOf(2);
    const photo = shelf.facts.get("k0");
    assert.ok(photo);
    const other = async () => {
      await shelf.settle({ ...photo, image: "by-the-other" });
      await shelf.remove("k1");
    };
    let done: Promise<void> | undefined;
    const shared: TestShelf = {
      ...shelf,
      async bytes(key) {
        done ??= other();
        await done;
        return shelf.bytes(key);
      },
    };
    const { queue, asked, end } = await visit(shared, taken);
    await whenever(queue, () => !queue.items.some(isWaiting));
    assert.deepEqual([asked(), queue.items.map(({ image }) => image)], [0, ["by-the-other"]]);
    assert.deepEqual([...shelf.facts.keys()], ["k0"]);
    end();
  });
});
