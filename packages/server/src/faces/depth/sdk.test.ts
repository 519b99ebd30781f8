/** The SDK's depth session over a real server that goes away in the middle. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freePort } from "@cairn/bus/test/ports";
import { DepthRefused, DepthSession } from "@cairn/client/depth";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { WebSocket } from "ws";
import { samplePhotos } from "../../test/sample-photos.ts";
import { testServer } from "../../test/test-server.ts";

const BACKOFF = { firstMs: 50, maxMs: 500 };

describe("the SDK's depth session", () => {
  test("DEP-15 DEP-16 a photo and a run that the server's restart cuts off are done once, and told", async (t) => {
    const server = await testServer(t, {
      openEngine: openEmbeddedEngine,
      spaceSettings: { preset: "sparse" },
      port: await freePort(),
    });
    const depth = await DepthSession.create({ url: server.url, WebSocket, backoff: BACKOFF }, { process_res: 300 });
    t.after(() => depth.close());
    const [first, second, third] = await samplePhotos(3);
    assert.equal(await depth.image(first!, "a b.jpg"), "a_b.jpg");
    await server.restart();
    await depth.image(second!, "c.jpg");
    await depth.image(third!, "d.jpg");
    assert.equal(depth.imageCount, 3);
    await assert.rejects(depth.image(Buffer.from("none")), new DepthRefused("not a readable image"));
    const stages: string[] = [];
    let restarting: Promise<void> | undefined;
    const { glb, metadata } = await depth.generate({
      incremental: true,
      onProgress({ stage }) {
        stages.push(stage);
        restarting ??= server.restart();
      },
    });
    await restarting;
    assert.deepEqual(metadata.filenames, ["a_b.jpg", "c.jpg", "d.jpg"]);
    assert.deepEqual(metadata.registered, [true, true, true]);
    assert.equal(metadata.glb_size_bytes, glb.length);
    assert.ok(stages.filter((stage) => stage === "loading_model").length >= 1);
    const again = await depth.finalize();
    assert.deepEqual(Buffer.from(again.glb), Buffer.from(glb));
    await depth.delete();
    await assert.rejects(
      new DepthSession({ url: server.url, WebSocket }, depth.id).image(first!),
      new DepthRefused(`Session ${depth.id} not found`),
    );
  });

  test("DEP-15 DEP-22 a photo that is being stored when the line breaks is stored once, also where it is the last that fits", async (t) => {
    const server = await testServer(t);
    let cut = true;
    let sent = 0;
    class Cut extends WebSocket {
      override send(text: string): void {
        const isImage = text.includes('"image"');
        if (isImage) sent++;
        const cuts = cut && isImage;
        if (cuts) {
          cut = false;
          this.pause(); // no answer to it is heard, however fast it comes
        }
        // It has left, and takes longer than this to be decoded.
        super.send(text, () => cuts && setTimeout(() => this.terminate(), 2));
      }
    }
    const backoff = { firstMs: 1, maxMs: 10 };
    const depth = await DepthSession.create({ url: server.url, WebSocket: Cut, backoff }, { max_images: 3 });
    t.after(() => depth.close());
    for (const [i, photo] of (await samplePhotos(3)).entries()) {
      cut = true;
      assert.equal(await depth.image(photo, `${i}.jpg`), `${i}.jpg`);
      assert.equal(sent, 2 * (i + 1), "the line broke before the answer, and it was sent again");
    }
    const events = await server.events(depth.id);
    const names = events.flatMap((event) => (event.type === "image.added" ? [event.data.name] : []));
    assert.deepEqual(names, ["0.jpg", "1.jpg", "2.jpg"]);
    assert.equal(depth.imageCount, 3);
  });

  test("DEP-46 DEP-51 refusals are said in the server's words, and end nothing", async (t) => {
    const server = await testServer(t);
    const options = { url: server.url, WebSocket };
    await assert.rejects(DepthSession.create(options, { max_images: 0 }), /^Error: max_images: /);
    const depth = await DepthSession.create(options, {});
    t.after(() => depth.close());
    await assert.rejects(depth.generate(), new DepthRefused("No images in session"));
    const stop = new AbortController();
    await depth.image((await samplePhotos(1))[0]!);
    const running = depth.generate({ signal: stop.signal, onProgress: () => stop.abort() });
    await assert.rejects(running, { name: "AbortError" });
  });

  test("DEP-46 a request that is given up while it waits for its turn is answered at once", async (t) => {
    const server = await testServer(t);
    const depth = await DepthSession.create({ url: server.url, WebSocket, backoff: BACKOFF }, {});
    t.after(() => depth.close());
    const [first] = await samplePhotos(1);
    await depth.image(first!);
    // Nobody looks at its photo here: it would go on for half an hour.
    const running = depth.generate().then(
      () => "done",
      () => "closed",
    );
    const stop = new AbortController();
    const waiting = depth.image(first!, "waiting.jpg", stop.signal);
    stop.abort();
    await assert.rejects(waiting, { name: "AbortError" });
    depth.close();
    assert.equal(await running, "closed");
  });

  test("DEP-46 a photo that is given up leaves no answer behind for the next, and one given up in time is not sent", async (t) => {
    const server = await testServer(t);
    const depth = await DepthSession.create({ url: server.url, WebSocket, backoff: BACKOFF }, {});
    t.after(() => depth.close());
    const [first, second, third] = await samplePhotos(3);
    await depth.image(first!, "first.jpg");
    const stop = new AbortController();
    const sent = depth.image(second!, "second.jpg", stop.signal);
    const waiting = depth.image(second!, "waiting.jpg", stop.signal);
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await Promise.all([sent, waiting].map((each) => assert.rejects(each, { name: "AbortError" })));
    assert.equal(await depth.image(third!, "third.jpg"), "third.jpg");
    const events = await server.events(depth.id);
    const names = events.flatMap((event) => (event.type === "image.added" ? [event.data.name] : []));
    assert.ok(names.includes("third.jpg") && !names.includes("waiting.jpg"), names.join(" "));
  });
});
