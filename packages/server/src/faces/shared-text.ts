/**
 * A message that many sockets are sent: encoded, framed and compressed once for all of them. Compressing it for each cost
 * a crowd more than everything else together. Rules GEN-22, GEN-24; RFC 7692.
 */
import { promisify } from "node:util";
import { constants, deflateRaw } from "node:zlib";
import { DEFLATE_FROM_BYTES, DEFLATE_TO_BYTES } from "../http/upgrades.ts";
import { type Message, wholeTextMessage } from "../live/frames.ts";

const deflate = promisify(deflateRaw);
/** What a flush ends with; a message is sent without it (RFC 7692, 7.2.1). */
const FLUSH_BYTES = 4;

export class SharedText {
  readonly text: Buffer;
  readonly plain: Message;
  /** For sockets that agreed on a whole window and on no memory of earlier messages; left out where it does not pay. */
  readonly deflated: Message | undefined;

  private constructor(text: Buffer, deflated: Message | undefined) {
    this.text = text;
    this.plain = wholeTextMessage(text);
    this.deflated = deflated;
  }

  static async of(message: object): Promise<SharedText> {
    const text = Buffer.from(JSON.stringify(message));
    if (text.length < DEFLATE_FROM_BYTES || text.length > DEFLATE_TO_BYTES) return new SharedText(text, undefined);
    const flushed = await deflate(text, { finishFlush: constants.Z_SYNC_FLUSH });
    const short = flushed.subarray(0, flushed.length - FLUSH_BYTES);
    return new SharedText(text, wholeTextMessage(short, { deflated: true }));
  }

  get sizeBytes(): number {
    return this.text.length + (this.deflated?.reduce((sum, piece) => sum + piece.length, 0) ?? 0);
  }
}
