/** A space is a place that people photograph: one log, its operations and its channels. */
import type { Labels, SpaceId, SpaceSettings, SpaceSummary, TimeNs } from "@cairn/protocol";
import type { Channels } from "../channel/channels.ts";
import type { SpaceLog } from "../log/space-log.ts";
import type { Operations } from "../operation/operations.ts";

export type NewSpace = {
  /** Left out: a UUID is made. */
  id?: SpaceId;
  title?: string;
  settings?: Partial<SpaceSettings>;
  expiresNs?: TimeNs;
  labels?: Labels;
};

export interface Space {
  readonly id: SpaceId;
  readonly log: SpaceLog;
  readonly operations: Operations;
  readonly channels: Channels;
  /** Aborts when the space is closed, deleted or the process stops. */
  readonly signal: AbortSignal;
  summary(): SpaceSummary;
  rename(title: string): Promise<void>;
  /** The others stay. @throws {CairnError} `request.invalid` */
  configure(settings: Partial<SpaceSettings>): Promise<void>;
  /** Sets these labels; others stay. */
  label(labels: Labels): Promise<void>;
  /** `undefined`: never. */
  expireAt(expiresNs: TimeNs | undefined): Promise<void>;
}

export interface Spaces {
  /** @throws {CairnError} `space.exists`, `space.id_invalid` */
  create(space: NewSpace): Promise<Space>;
  /** The one instance of it in this process. @throws {CairnError} `space.missing`, `space.id_invalid` */
  open(id: SpaceId): Promise<Space>;
  list(): Promise<SpaceSummary[]>;
  /** Says `space.closed` to everyone, then lets go of its log. Blobs go when nothing else names them. */
  delete(id: SpaceId): Promise<void>;
  /** Called for each space that opens, also those already open. */
  onOpen(listener: (space: Space) => void): void;
}
