/** The REST doors as typed calls. Needs `fetch` and nothing else, so it runs in a page, a worker and Node. */
import {
  type AnchorState,
  CairnError,
  type CairnEvent,
  type DeviceState,
  type Digest,
  type Gravity,
  type Id,
  type ImageReceipt,
  type ImageState,
  type Intrinsics,
  type LayerState,
  type PublishedGeneration,
  type RecordingEnd,
  type RecordingFormat,
  type RecordingState,
  type Report,
  type Seq,
  type Similarity,
  type SpaceId,
  type SpaceSettings,
  type SpaceState,
  type SpaceSummary,
  type TimeNs,
  type Vec3,
} from "@cairn/protocol";
import { type ApiOptions, type CallBody, type CallOptions, Calls } from "./calls.ts";
import { Video } from "./video.ts";

export type PhotoFacts = {
  name: string;
  /** The sender's own name for this upload: the same key again is the same image, however often it is sent. */
  key?: string;
  camera?: Intrinsics;
  capturedNs?: TimeNs;
  /** Which way is down in the upright photo (x right, y down, z forward), by motion sensors. */
  gravity?: Gravity;
  /** The video or stream that it is a picture of: those of one follow each other by `capturedNs`. */
  sequence?: string;
  contributor?: string;
};

/** Of a file of points; `transform` is from its coordinates to the model's. */
export type PointsFacts = { name: string; spacing?: number; transform?: Similarity };

/** A format of `exports`. */
export type ExportInfo = { format: string; name: string; mediaType: string; description: string };

/** How a surface is wanted; all of it may be left out. */
export type SurfaceWish = {
  /** Cells this much finer than the points ask for, 0.1 to 10. */
  detail?: number | undefined;
  /** Edge of a cell in model units, instead. */
  voxel?: number | undefined;
  /** At most so many triangles. */
  faces?: number | undefined;
  /** Only this shown layer; also for points. */
  layer?: number | undefined;
};

/** A layer of a space, imported or of a generation. */
export type LayerInfo = Pick<LayerState, "layer" | "kind" | "name" | "points" | "generation" | "transform"> & {
  /** Whether it is on the screen now. */
  shown: boolean;
};

/** A source of live video. */
export type VideoSourceInfo = {
  source: string;
  live: boolean;
  space?: SpaceId;
  codec?: string;
  width?: number;
  height?: number;
  consumers: number;
  frames: number;
  bytes: number;
  /** Over the last 5 s. */
  mbps: number;
  picturesPerS: number;
  /** Packets that the sender counted and that never came. */
  lost: number;
  lastPacketMs?: number;
};

/** The same, with what flows to each consumer. */
export type VideoSourceDetails = Omit<VideoSourceInfo, "consumers"> & {
  consumers: {
    packets: number;
    bytes: number;
    /** Pictures that it was too slow for. */
    dropped: number;
    waitingBytes: number;
    /** From a packet's arrival until it is sent on, lately. */
    latencyMs?: number;
  }[];
};

/** What is to be recorded; all of it may be left out: everything, as MP4 and MCAP, for an hour at most. */
export type RecordingWish = {
  name?: string | undefined;
  /** `video/front`, `imu/*`, `signals/NAME`, `events`, `control`, `poses`, `*`. */
  channels?: readonly string[] | undefined;
  formats?: readonly RecordingFormat[] | undefined;
  maxBytes?: number | undefined;
  maxDurationMs?: number | undefined;
  /** It ends when nothing comes for so long. */
  idleMs?: number | undefined;
};

/** While it has no `ended` it says how far it is. */
export type RecordingInfo = RecordingState & {
  progress?: {
    sizeBytes: number;
    waitingBytes: number;
    pictures: number;
    messages: number;
    lost: number;
    ending?: RecordingEnd;
  };
};

/** A device of a space, and what is known of its clock where it answers questions about it. */
export type ListedDevice = DeviceState & {
  /** @property offsetNs the server's clock less the device's; decimal text, as `uncertaintyNs` is */
  clock?: { offsetNs: string; uncertaintyNs: string; driftPpm: number };
};

export class CairnApi {
  readonly #calls: Calls;

  /** Live video: `video.consume("cam")`, `video.produce("cam")`. */
  readonly video: Video;

  constructor(options: ApiOptions) {
    this.#calls = new Calls(options);
    const videoUrl = `${this.#calls.socketBase}/v1/video`;
    this.video = new Video({
      url: (source) => (source === undefined ? videoUrl : `${videoUrl}/${encodeURIComponent(source)}`),
      token: options.token,
      WebSocket: options.WebSocket,
    });
  }

  async spaces(options?: CallOptions): Promise<SpaceSummary[]> {
    return (await this.#json<{ spaces: SpaceSummary[] }>("GET", "/v1/spaces", options)).spaces;
  }

  createSpace(
    space: { id?: SpaceId; title?: string; settings?: Partial<SpaceSettings>; expiresNs?: TimeNs } = {},
    options?: CallOptions,
  ): Promise<SpaceSummary> {
    return this.#json("POST", "/v1/spaces", { ...options, json: space });
  }

  space(id: SpaceId, options?: CallOptions): Promise<SpaceSummary> {
    return this.#json("GET", spacePath(id), options);
  }

  renameSpace(id: SpaceId, title: string, options?: CallOptions): Promise<SpaceSummary> {
    return this.#json("PATCH", spacePath(id), { ...options, json: { title } });
  }

  /** Those that change; the others stay. A preset holds for photos to come and from the next rebuild on. */
  configureSpace(id: SpaceId, settings: Partial<SpaceSettings>, options?: CallOptions): Promise<SpaceSummary> {
    return this.#json("PATCH", spacePath(id), { ...options, json: { settings } });
  }

  async deleteSpace(id: SpaceId, options?: CallOptions): Promise<void> {
    await this.call("DELETE", spacePath(id), options);
  }

  /** Sources of live video, with what flows. */
  async videoSources(options?: CallOptions): Promise<VideoSourceInfo[]> {
    return (await this.#json<{ sources: VideoSourceInfo[] }>("GET", "/v1/video", options)).sources;
  }

  /** @throws {CairnError} `request.not_found`: nobody has produced or awaited it */
  videoSource(source: string, options?: CallOptions): Promise<VideoSourceDetails> {
    return this.#json("GET", `/v1/video/${encodeURIComponent(source)}`, options);
  }

  async images(id: SpaceId, options?: CallOptions): Promise<ImageState[]> {
    return (await this.#json<{ images: ImageState[] }>("GET", spacePath(id, "images"), options)).images;
  }

  /** One photo in one request; the body is the photo itself. */
  addImage(id: SpaceId, photo: Blob | Uint8Array, facts: PhotoFacts, options?: CallOptions): Promise<ImageReceipt> {
    const query = new URLSearchParams(photoFields(facts));
    const headers = { "content-type": "application/octet-stream" };
    return this.#json("POST", `${spacePath(id, "images")}?${query}`, { ...options, body: photo, headers });
  }

  /** Events after `after`, in order; empty at the log's end. @throws {CairnError} `log.trimmed`, `log.ahead` */
  events(
    id: SpaceId,
    after: Seq,
    { limit, ...options }: CallOptions & { limit?: number } = {},
  ): Promise<{ events: CairnEvent[]; head: Seq; epoch: string }> {
    const query = `after=${after}${limit === undefined ? "" : `&limit=${limit}`}`;
    return this.#json("GET", `${spacePath(id, "events")}?${query}`, options);
  }

  snapshot(id: SpaceId, options?: CallOptions): Promise<{ seq: Seq; epoch: string; state: SpaceState }> {
    return this.#json("GET", spacePath(id, "snapshot"), options);
  }

  /** Generations that are kept, oldest first, and which one is shown. */
  generations(
    id: SpaceId,
    options?: CallOptions,
  ): Promise<{ shown: number; generations: Omit<PublishedGeneration, "transforms">[] }> {
    return this.#json("GET", spacePath(id, "generations"), options);
  }

  /** Shows an earlier generation again; answers its new number. @throws {CairnError} `generation.missing`, `generation.gone` */
  restoreGeneration(id: SpaceId, generation: number, options?: CallOptions): Promise<{ generation: number }> {
    return this.#json("POST", spacePath(id, "generations", String(generation), "restore"), options);
  }

  /** How the model came about and where it is weak. @throws {CairnError} `report.missing` before the first rebuild */
  report(id: SpaceId, options?: CallOptions): Promise<Report> {
    return this.#json("GET", spacePath(id, "report"), options);
  }

  /** Devices that take commands, or did. */
  async devices(id: SpaceId, options?: CallOptions): Promise<ListedDevice[]> {
    return (await this.#json<{ devices: ListedDevice[] }>("GET", spacePath(id, "devices"), options)).devices;
  }

  /** An emergency stop of one device, or of all: anyone may who watches. */
  async stopDevices(
    id: SpaceId,
    { device, by }: { device?: string; by?: string } = {},
    options?: CallOptions,
  ): Promise<{ device: string; order: number }[]> {
    const path = device === undefined ? spacePath(id, "stop") : spacePath(id, "devices", device, "stop");
    const json = { ...(by !== undefined && { by }) };
    return (await this.#json<{ stops: { device: string; order: number }[] }>("POST", path, { ...options, json })).stops;
  }

  async anchors(id: SpaceId, options?: CallOptions): Promise<AnchorState[]> {
    return (await this.#json<{ anchors: AnchorState[] }>("GET", spacePath(id, "anchors"), options)).anchors;
  }

  /**
   * A point that keeps its place while the model is refined; the same `anchor` (a UUID) again moves it.
   * @param place `generation`: the one in which `point` was seen, when that may not be the shown one any more
   */
  placeAnchor(
    id: SpaceId,
    anchor: Id,
    place: { point: Vec3; label?: string; generation?: number },
    options?: CallOptions,
  ): Promise<AnchorState> {
    return this.#json("PUT", spacePath(id, "anchors", anchor), { ...options, json: place });
  }

  async removeAnchor(id: SpaceId, anchor: Id, options?: CallOptions): Promise<void> {
    await this.call("DELETE", spacePath(id, "anchors", anchor), options);
  }

  startOperation(id: SpaceId, kind: string, options?: CallOptions): Promise<{ operation: Id }> {
    return this.#json("POST", spacePath(id, "operations"), { ...options, json: { kind } });
  }

  async cancelOperation(id: SpaceId, operation: Id, options?: CallOptions): Promise<void> {
    await this.call("DELETE", spacePath(id, "operations", operation), options);
  }

  /** Formats in which the space's model and points can be had. */
  async exports(id: SpaceId, options?: CallOptions): Promise<ExportInfo[]> {
    return (await this.#json<{ formats: ExportInfo[] }>("GET", spacePath(id, "exports"), options)).formats;
  }

  /** A file of the format, as it is being made: the answer's body is not read yet. @param format as `exports` says */
  async exportModel(id: SpaceId, format: string, options?: CallOptions): Promise<Response> {
    return this.call("GET", spacePath(id, "exports", format), options);
  }

  /**
   * The same as an operation; its result names a blob: `digest`, `sizeBytes`, `name`, `mediaType`. A surface's also says
   * `vertices`, `faces`, `voxel`, `area`, `watertight` and `boundaryEdges`.
   */
  startExport(id: SpaceId, format: string, wish: SurfaceWish = {}, options?: CallOptions): Promise<{ operation: Id }> {
    return this.#json("POST", spacePath(id, "exports"), { ...options, json: { format, ...wish } });
  }

  /**
   * A PLY, LAS, LAZ, COPC or GLB file as a layer of the space. Resolves when the file is there and can be read; the
   * operation then fills the layer. @throws {CairnError} `import.invalid`
   */
  importLayer(
    id: SpaceId,
    file: Blob | Uint8Array | ReadableStream<Uint8Array>,
    { name, spacing, transform }: PointsFacts,
    options?: CallOptions,
  ): Promise<{ operation: Id }> {
    const query = new URLSearchParams({ name });
    if (spacing !== undefined) query.set("spacing", String(spacing));
    if (transform) query.set("transform", JSON.stringify(transform));
    const headers = { "content-type": "application/octet-stream" };
    return this.#json("POST", `${spacePath(id, "layers")}?${query}`, { ...options, body: file, headers });
  }

  /** Imported clouds, and what the generations that are kept are made of. */
  async layers(id: SpaceId, options?: CallOptions): Promise<LayerInfo[]> {
    return (await this.#json<{ layers: LayerInfo[] }>("GET", spacePath(id, "layers"), options)).layers;
  }

  /** An imported layer goes. */
  async removeLayer(id: SpaceId, layer: number, options?: CallOptions): Promise<void> {
    await this.call("DELETE", spacePath(id, "layers", String(layer)), options);
  }

  async recordings(id: SpaceId, options?: CallOptions): Promise<RecordingInfo[]> {
    return (await this.#json<{ recordings: RecordingInfo[] }>("GET", spacePath(id, "recordings"), options)).recordings;
  }

  /** Resolves when everything that comes from now on is taken. @throws {CairnError} `recording.too_many`, `space.quota` */
  startRecording(id: SpaceId, wish: RecordingWish = {}, options?: CallOptions): Promise<RecordingInfo> {
    return this.#json("POST", spacePath(id, "recordings"), { ...options, json: wish });
  }

  recording(id: SpaceId, recording: Id, options?: CallOptions): Promise<RecordingInfo> {
    return this.#json("GET", spacePath(id, "recordings", recording), options);
  }

  /** Resolves when its files can be had. */
  stopRecording(id: SpaceId, recording: Id, options?: CallOptions): Promise<RecordingInfo> {
    return this.#json("POST", spacePath(id, "recordings", recording, "stop"), options);
  }

  /** Its files go; of one that still runs nothing is kept. */
  async removeRecording(id: SpaceId, recording: Id, options?: CallOptions): Promise<void> {
    await this.call("DELETE", spacePath(id, "recordings", recording), options);
  }

  /** A file of a recording that has ended; the answer's body is not read yet. @param name as `ended.files` has it */
  async recordingFile(id: SpaceId, recording: Id, name: string, options?: CallOptions): Promise<Response> {
    return this.call("GET", recordingPath(id, recording, name), options);
  }

  /** Where it can be fetched, in ranges too: for `<video src>` and links. */
  recordingFileUrl(id: SpaceId, recording: Id, name: string): string {
    return this.#calls.base + recordingPath(id, recording, name);
  }

  /** Where a blob can be fetched, for `<img src>` and the like. */
  blobUrl(digest: Digest): string {
    return `${this.#calls.base}/v1/blobs/${digest}`;
  }

  async blob(digest: Digest, options?: CallOptions): Promise<Uint8Array> {
    return new Uint8Array(await (await this.call("GET", `/v1/blobs/${digest}`, options)).arrayBuffer());
  }

  /** Bytes `start`…`end` (exclusive) of a blob. @throws {CairnError} `blob.corrupt` when it is not that long */
  async range(digest: Digest, start: number, end: number, { signal }: CallOptions = {}): Promise<Uint8Array> {
    const headers = { range: `bytes=${start}-${end - 1}` };
    const response = await this.call("GET", `/v1/blobs/${digest}`, { signal, headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A proxy may answer with the whole.
    const part = response.status === 206 ? bytes : bytes.subarray(start, end);
    if (part.length !== end - start) throw new CairnError("blob.corrupt", { digest });
    return part;
  }

  /** Where tus uploads of this space start, and the headers they need. */
  uploads(id: SpaceId): { endpoint: string; headers: Record<string, string> } {
    return { endpoint: this.#calls.base + spacePath(id, "uploads"), headers: this.#calls.auth() };
  }

  /** What a whole tus upload became; the server is asked to finish it when it has not. @param url as tus names it */
  async finishUpload(url: string, sizeBytes: number, options?: CallOptions): Promise<unknown> {
    const headers = {
      "tus-resumable": "1.0.0",
      "upload-offset": String(sizeBytes),
      "content-type": "application/offset+octet-stream",
    };
    const response = await this.call("PATCH", this.#pathOf(url), { ...options, headers });
    const receipt = response.headers.get("upload-result");
    if (receipt === null) throw new CairnError("store.failed", { problem: "the upload has no receipt yet" });
    return JSON.parse(receipt);
  }

  /** An upload that is not wanted any more. */
  async dropUpload(url: string, options?: CallOptions): Promise<void> {
    await this.call("DELETE", this.#pathOf(url), { ...options, headers: { "tus-resumable": "1.0.0" } });
  }

  #pathOf(url: string): string {
    return url.startsWith(this.#calls.base) ? url.slice(this.#calls.base.length) : new URL(url).pathname;
  }

  liveUrl(id: SpaceId): string {
    return `${this.#calls.socketBase}${spacePath(id, "live")}`;
  }

  /** Any call. @throws {CairnError} what the server answered; {@link TypeError} when it could not be reached */
  call(method: string, path: string, options: CallOptions & CallBody = {}): Promise<Response> {
    return this.#calls.call(method, path, options);
  }

  #json<T>(method: string, path: string, options: (CallOptions & CallBody) | undefined): Promise<T> {
    return this.#calls.json(method, path, options);
  }
}

/** The facts of a photo as flat text fields: query of a POST, metadata of a tus upload. */
export function photoFields({
  name,
  key,
  camera,
  capturedNs,
  gravity,
  sequence,
  contributor,
}: PhotoFacts): Record<string, string> {
  return {
    name,
    ...(key === undefined ? {} : { key }),
    ...(camera === undefined ? {} : { camera: JSON.stringify(camera) }),
    ...(capturedNs === undefined ? {} : { capturedNs }),
    ...(gravity === undefined ? {} : { gravity: [...gravity.down, gravity.sigmaDeg].join(",") }),
    ...(sequence === undefined ? {} : { sequence }),
    ...(contributor === undefined ? {} : { contributor }),
  };
}

function spacePath(id: SpaceId, ...rest: string[]): string {
  return ["/v1/spaces", encodeURIComponent(id), ...rest].join("/");
}

function recordingPath(id: SpaceId, recording: Id, name: string): string {
  return spacePath(id, "recordings", recording, "files", encodeURIComponent(name));
}
