/** In a page of its own: takes a source's packets, remembers the hash of each, decodes them, and hashes the pictures. */
import type { Page } from "playwright-core";

type Consumed = {
  /** SHA-256 of every packet with a picture, in the order they came. */
  packets: string[];
  /** SHA-256 of each decoded picture's planes, by its timestamp in microseconds. */
  pictures: [timestampUs: number, hash: string][];
  firstPictureMs: number | undefined;
  problem: string | undefined;
};

declare global {
  var consumed: Consumed;
  var stream: Uint8Array<ArrayBuffer>[];
}

/** Begins; `consumed` of the page tells how far it is. */
export async function consume(page: Page, source: string): Promise<void> {
  await page.evaluate((name) => {
    const state: Consumed = { packets: [], pictures: [], firstPictureMs: undefined, problem: undefined };
    globalThis.consumed = state;
    globalThis.stream = [];
    const beganMs = performance.now();
    const hash = async (bytes: Uint8Array<ArrayBuffer>) =>
      [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("");
    // One after the other, so that the order of what came is kept.
    let inOrder: Promise<unknown> = Promise.resolve();
    const decoder = new VideoDecoder({
      output(frame) {
        state.firstPictureMs ??= performance.now() - beganMs;
        const planes = new Uint8Array(frame.allocationSize());
        const { timestamp, format } = frame;
        if (format !== "I420") state.problem = `format ${format}`;
        inOrder = Promise.all([inOrder, frame.copyTo(planes).then(() => frame.close())]).then(async () =>
          state.pictures.push([timestamp, await hash(planes)]),
        );
      },
      error: (error) => {
        state.problem = error.message;
      },
    });
    decoder.configure({ codec: "avc1.42E01F", optimizeForLatency: true });
    const url = `${location.origin.replace("http", "ws")}/ws/video/consume?source=${name}&gop=1&framing=packet`;
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onclose = ({ code }) => {
      state.problem ??= `closed ${code}`;
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      const bytes = new Uint8Array(data);
      const view = new DataView(data);
      if (bytes[4] !== 3 && bytes[4] !== 4) return; // parameter sets: every key picture of this stream has them
      inOrder = inOrder.then(async () => state.packets.push(await hash(bytes)));
      const picture = bytes.subarray(21);
      globalThis.stream.push(picture);
      decoder.decode(
        new EncodedVideoChunk({
          type: bytes[4] === 3 ? "key" : "delta",
          timestamp: Number(view.getBigUint64(5)),
          data: picture,
        }),
      );
    };
  }, source);
}

export function consumedBy(page: Page): Promise<Consumed> {
  return page.evaluate(() => globalThis.consumed);
}

/** The Annex B stream as it came. */
export async function streamOf(page: Page): Promise<Buffer> {
  const url = await page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(String(reader.result));
        reader.readAsDataURL(new Blob(globalThis.stream));
      }),
  );
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}
