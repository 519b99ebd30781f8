/**
 * Single pictures of a device: epoch nanoseconds and a JPEG (HUB-26 to HUB-29). Each outlet takes them one after the
 * other; what it has no time for is dropped, the oldest first.
 */
export type JpegFrame = {
  readonly source: string;
  readonly space: string | undefined;
  /** It may become a photo of the space. */
  readonly keyframes: boolean;
  /** UTC. */
  readonly timeNs: bigint;
  readonly jpeg: Buffer;
  readonly width: number;
  readonly height: number;
  /** When the server had it, on its own clock. */
  readonly receivedNs: bigint;
};

export type FrameOutlet = (frame: JpegFrame) => void | Promise<void>;

const WAITING = 30;

export class BadFrame extends Error {}

/** @throws {BadFrame} with what is wrong, for its sender */
export function readFrame(bytes: Buffer): { timeNs: bigint; jpeg: Buffer; width: number; height: number } {
  if (bytes.length < 8) throw new BadFrame(`${bytes.length} bytes, the timestamp alone has 8`);
  const jpeg = bytes.subarray(8);
  return { timeNs: bytes.readBigUInt64BE(0), jpeg, ...jpegSize(jpeg) };
}

/** What the frame header of a JPEG says (ITU-T T.81 B.2.2). @throws {BadFrame} */
export function jpegSize(jpeg: Buffer): { width: number; height: number } {
  if (jpeg[0] !== 0xff || jpeg[1] !== 0xd8) throw new BadFrame("no JPEG");
  for (let at = 2; at + 4 <= jpeg.length; ) {
    if (jpeg[at] !== 0xff) throw new BadFrame("no JPEG: no marker where one should be");
    const marker = jpeg[at + 1]!;
    if (marker === 0xff) {
      at++; // a fill byte
      continue;
    }
    const isStart = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    if (isStart && at + 9 <= jpeg.length) {
      const [height, width] = [jpeg.readUInt16BE(at + 5), jpeg.readUInt16BE(at + 7)];
      if (width > 0 && height > 0) return { width, height };
      break;
    }
    if (marker === 0xda || marker === 0xd9) break;
    at += alone ? 2 : 2 + jpeg.readUInt16BE(at + 2);
  }
  throw new BadFrame("no JPEG: it does not say how large it is");
}

export class JpegFrames {
  readonly #outlets = new Set<Outlet>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Frames that waited too long for an outlet. */
  get dropped(): number {
    let dropped = 0;
    for (const outlet of this.#outlets) dropped += outlet.dropped;
    return dropped;
  }

  /** Hands every frame to `take`, those of one source in order, the next when it has resolved. Returns how to stop. */
  onFrame(take: FrameOutlet): () => void {
    const outlet = new Outlet(take, this.#onError);
    this.#outlets.add(outlet);
    return () => this.#outlets.delete(outlet);
  }

  add(frame: JpegFrame): void {
    for (const outlet of this.#outlets) outlet.add(frame);
  }
}

class Outlet {
  dropped = 0;
  readonly #take: FrameOutlet;
  readonly #onError: (error: unknown) => void;
  readonly #waiting = new Map<string, JpegFrame[]>();

  constructor(take: FrameOutlet, onError: (error: unknown) => void) {
    this.#take = take;
    this.#onError = onError;
  }

  add(frame: JpegFrame): void {
    const waiting = this.#waiting.get(frame.source);
    if (waiting) {
      waiting.push(frame);
      if (waiting.length <= WAITING) return;
      waiting.shift();
      this.dropped++;
      return;
    }
    this.#waiting.set(frame.source, [frame]);
    void this.#work(frame.source);
  }

  async #work(source: string): Promise<void> {
    const waiting = this.#waiting.get(source);
    for (let frame = waiting?.shift(); frame; frame = waiting?.shift()) {
      try {
        const done = this.#take(frame);
        if (done) await done;
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#waiting.delete(source);
  }
}
