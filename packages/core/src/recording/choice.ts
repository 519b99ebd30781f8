/** Which channels a recording is of: `video/front`, `imu/*`, `signals/presence`, `events`, `control`, `poses`, or `*`. */
import { CairnError } from "@cairn/protocol";

/** Those that have names, and those that are one. */
const NAMED = ["video", "imu", "signals"] as const;
const SINGLE = ["events", "control", "poses"] as const;
export type NamedKind = (typeof NAMED)[number];
export type SingleKind = (typeof SINGLE)[number];

const MAX_CHANNELS = 64;
const MAX_NAME_LENGTH = 140;

export class ChannelChoice {
  readonly #chosen: ReadonlySet<string>;

  /** @throws {CairnError} `request.invalid` for what is no channel */
  constructor(channels: readonly string[]) {
    if (channels.length < 1 || channels.length > MAX_CHANNELS || !channels.every(isChannel)) {
      throw new CairnError("request.invalid", {
        field: "/channels",
        problem: "1 to 64 of video/NAME, imu/NAME, signals/NAME (NAME may be *), events, control, poses, *",
      });
    }
    this.#chosen = new Set(channels);
  }

  has(kind: SingleKind): boolean;
  has(kind: NamedKind, name: string): boolean;
  has(kind: string, name?: string): boolean {
    if (this.#chosen.has("*")) return true;
    return name === undefined ? this.#chosen.has(kind) : this.#chosen.has(`${kind}/*`) || this.names(kind, name);
  }

  /** Whether it is chosen by its own name. */
  names(kind: string, name: string): boolean {
    return this.#chosen.has(`${kind}/${name}`);
  }

  /** Whether anything of this kind is chosen. */
  any(kind: NamedKind): boolean {
    return [...this.#chosen].some((channel) => channel === "*" || channel.startsWith(`${kind}/`));
  }
}

function isChannel(channel: string): boolean {
  if (channel.length > MAX_NAME_LENGTH) return false;
  if (channel === "*" || SINGLE.some((kind) => kind === channel)) return true;
  return NAMED.some((kind) => channel.startsWith(`${kind}/`) && channel.length > kind.length + 1);
}
