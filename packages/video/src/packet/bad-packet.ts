/** A packet that cannot be read. The door that got it turns the cause into its own form of error. */
export class BadPacket extends RangeError {
  override readonly name = "BadPacket";
  /** What is wrong, in a few words for the sender: `it says 27 bytes and has 25`. */
  override readonly cause: string;

  constructor(cause: string) {
    super(`Invalid video packet: ${cause}`);
    this.cause = cause;
  }
}
