/** MP4, MOV, WebM and Matroska by mediabunny: read where needed, in constant memory. */
import { CairnError } from "@cairn/protocol/errors";
import type { EncodedPacketSink, InputVideoTrack } from "mediabunny";
import type { Rotation } from "../decode/frame.ts";
import type { AccessUnit } from "../h264/access-unit.ts";
import { hasKeyPicture } from "../h264/parameter-sets.ts";
import { type AvcConfig, avcToAnnexB, readAvcConfig } from "./avc.ts";
import { createdNs } from "./creation-time.ts";

type ContainerFacts = {
  /** `MP4`, `QuickTime File Format`, `WebM`, … */
  readonly container: string;
  /** `avc`, `hevc`, `vp8`, `vp9`, `av1`, … */
  readonly coding: string;
  /** As browsers name it: `avc1.64001f`. */
  readonly codec: string;
  /** Clockwise, from the picture as it is coded to how it is shown. */
  readonly rotation: Rotation;
  readonly width: number;
  readonly height: number;
  /** By the file's own word; `undefined` when it does not say. */
  readonly durationS: number | undefined;
  /** When the recording began, nanoseconds since 1970, by the recorder's word. */
  readonly createdNs: bigint | undefined;
};

export type Container = {
  readonly facts: ContainerFacts;
  /** H.264 only, in the order of decoding, with the times of showing from the file's beginning. */
  units(): AsyncGenerator<AccessUnit, void>;
  close(): void;
};

/** @throws {CairnError} `video.unreadable` */
export async function openContainer(path: string): Promise<Container> {
  // Half of all the source that a server would load, for what many never do.
  const { EncodedPacketSink, FilePathSource, Input, MATROSKA, MP4, QTFF, WEBM } = await import("mediabunny");
  const source = new FilePathSource(path, { handleUnhandledError: () => {} });
  const input = new Input({ source, formats: [MP4, QTFF, WEBM, MATROSKA] });
  try {
    const format = await input.getFormat();
    const track = await input.getPrimaryVideoTrack();
    if (!track)
      throw new CairnError("video.unreadable", {
        problem: "no index of a video in it: it was cut off, or its recording never ended, or it has only sound",
      });
    const [coding, codec] = [await track.getCodec(), await track.getCodecParameterString()];
    const facts: ContainerFacts = {
      container: format.name,
      coding: coding ?? "unknown",
      codec: codec ?? "unknown",
      rotation: await track.getRotation(),
      width: await track.getDisplayWidth(),
      height: await track.getDisplayHeight(),
      durationS: (await track.getDurationFromMetadata()) ?? undefined,
      createdNs: await createdNs(path),
    };
    return { facts, units: () => avcUnits(track, new EncodedPacketSink(track)), close: () => input.dispose() };
  } catch (error) {
    input.dispose();
    if (error instanceof CairnError) throw error;
    throw new CairnError("video.unreadable", { problem: "its index is missing or damaged" }, error);
  }
}

/** Ends where the file does: of one that is cut off, what is there comes out. */
async function* avcUnits(track: InputVideoTrack, sink: EncodedPacketSink): AsyncGenerator<AccessUnit, void> {
  const config = await avcConfig(track);
  let packet = await sink.getFirstPacket();
  while (packet) {
    const data = config ? avcToAnnexB(packet.data, config, packet.type === "key") : packet.data;
    // By the picture itself: a container may call pictures key that a decoder cannot start at.
    yield { data, timeNs: BigInt(Math.round(packet.timestamp * 1e9)), key: hasKeyPicture(data) };
    const before: typeof packet = packet;
    packet = await sink.getNextPacket(before).catch(() => null);
  }
}

/** @throws {CairnError} `video.unreadable` */
async function avcConfig(track: InputVideoTrack): Promise<AvcConfig | undefined> {
  try {
    const description = (await track.getDecoderConfig())?.description;
    return description && readAvcConfig(bytesOf(description));
  } catch (error) {
    throw new CairnError("video.unreadable", { problem: "its parameter sets are damaged" }, error);
  }
}

function bytesOf(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
