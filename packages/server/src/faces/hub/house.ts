/** What the sockets and routes of the hub face share. */
import type { VideoSources } from "@cairn/core";
import type { ServerContext } from "../../context.ts";
import type { Devices } from "./devices.ts";
import type { JpegFrames } from "./jpeg-frames.ts";
import type { OwnSpace } from "./own-space.ts";
import type { PlyFiles } from "./ply-files.ts";
import type { SteeredSources } from "./steered.ts";
import type { VideoConfigs } from "./video-configs.ts";
import type { Viewers } from "./viewers.ts";

/** What leaves the hub for others than its sockets: a message bus, for one. None of these may throw or wait. */
export type HubOutlet = {
  /** A device or a viewer has chosen what is looked for in the pictures. @param text the message as it came */
  analysisMode?(source: string, text: string): void;
  /** A sample of motion sensors, in the order of its source. @param text with every digit of its timestamp */
  imu?(source: string, text: string): void;
  /** Everyone is asked to begin anew. */
  restart?(): void;
  /** The reconstructor has placed a camera. @param text `{timestamp_ns, pose}`, digits and all (HUB-81) */
  trajectory?(text: string): void;
  /** Everything was reconstructed. @param bytes all of its points as a PLY file */
  ply?(name: string, bytes: Buffer): void;
};

/** A space that the hub has recorded into carries this label. */
export const HUB_LABEL = "hub";

export type HubHouse = {
  readonly context: ServerContext;
  readonly video: VideoSources;
  readonly devices: Devices;
  readonly steered: SteeredSources;
  readonly viewers: Viewers;
  readonly frames: JpegFrames;
  readonly videoConfigs: VideoConfigs;
  readonly outlets: Set<HubOutlet>;
  readonly plyFiles: PlyFiles;
  /** Left out: devices that name no space are relayed, and no more. */
  readonly ownSpace?: OwnSpace;
  /** The source records into this space, which is made at first use, until `signal` aborts. */
  record(source: string, space: string, signal: AbortSignal): void;
};
