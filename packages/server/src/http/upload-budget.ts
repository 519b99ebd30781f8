/** Bytes of uploads that are in memory at once, over all requests. */
import { CairnError } from "@cairn/protocol";

export class UploadBudget {
  readonly #maxBytes: number;
  #heldBytes = 0;

  constructor(maxBytes = 512 * 2 ** 20) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Reads the whole stream and hands its bytes to `use`; they count until it is done.
   * @throws {CairnError} `image.too_large` past `limitBytes`, `upload.too_many` when other uploads fill the budget
   */
  async collect<T>(stream: AsyncIterable<Uint8Array>, limitBytes: number, use: (bytes: Uint8Array) => Promise<T>) {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    try {
      for await (const chunk of stream) {
        if (sizeBytes + chunk.length > limitBytes) throw new CairnError("image.too_large", { limitBytes });
        if (this.#heldBytes + chunk.length > this.#maxBytes) throw new CairnError("upload.too_many");
        this.#heldBytes += chunk.length;
        sizeBytes += chunk.length;
        chunks.push(chunk);
      }
      return await use(Buffer.concat(chunks));
    } finally {
      this.#heldBytes -= sizeBytes;
    }
  }
}
