/** Bytes of uploads that are in memory at once, over all requests and the doors that share it. Rule HTTP-32. */
import { CairnError } from "@cairn/protocol";

const USUAL_BYTES = 512 * 2 ** 20;

export class UploadBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes = USUAL_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /**
   * What `work` hands to `take` counts until it is done.
   * @throws {CairnError} `upload.too_many`, out of `take`, when other uploads fill the budget
   */
  async hold<T>(work: (take: (bytes: Uint8Array) => void) => Promise<T>): Promise<T> {
    let bytes = 0;
    let isOver = false;
    try {
      return await work(({ length }) => {
        if (isOver || this.#heldBytes + length > this.#maxBytes) throw new CairnError("upload.too_many");
        this.#heldBytes += length;
        bytes += length;
      });
    } finally {
      isOver = true;
      this.#heldBytes -= bytes;
    }
  }

  /**
   * Reads the whole stream and hands its bytes to `use`; they count until it is done.
   * @throws {CairnError} `image.too_large` past `limitBytes`, `upload.too_many`
   */
  collect<T>(
    stream: AsyncIterable<Uint8Array>,
    limitBytes: number,
    use: (bytes: Uint8Array) => Promise<T>,
  ): Promise<T> {
    return this.hold(async (take) => {
      const chunks: Uint8Array[] = [];
      let sizeBytes = 0;
      for await (const chunk of stream) {
        sizeBytes += chunk.length;
        if (sizeBytes > limitBytes) throw new CairnError("image.too_large", { limitBytes });
        take(chunk);
        chunks.push(chunk);
      }
      return use(Buffer.concat(chunks));
    });
  }
}
