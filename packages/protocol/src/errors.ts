/**
 * Every error that crosses a package or the wire: a stable code, an HTTP status, whether trying again can help,
 * and a text that says what to do. `docs/errors.md` is made from this table (`node tools/error-docs.mjs`).
 */
export const ERRORS = {
  "request.invalid": { status: 422, retry: false, text: "The request does not fit its schema; see `facts`." },
  "request.not_json": { status: 422, retry: false, text: "The body is not JSON; send one JSON value in UTF-8." },
  "request.too_large": { status: 413, retry: false, text: "The request body is over the limit; send less." },
  "request.rate_limited": { status: 429, retry: true, text: "Too many requests; wait and try again." },
  "request.not_found": {
    status: 404,
    retry: false,
    text: "Nothing answers at this path; `/openapi.json` has them all.",
  },
  "request.method": { status: 405, retry: false, text: "This path does not take this method; see `Allow`." },
  "auth.required": { status: 401, retry: false, text: "Not authenticated; send a bearer token." },
  "auth.forbidden": {
    status: 403,
    retry: false,
    text: "Not allowed with this token or from this origin; ask whoever runs the server.",
  },
  "space.id_invalid": {
    status: 400,
    retry: false,
    text: "A space id has 1 to 128 characters, no slash, backslash or control character, and is not a reserved word.",
  },
  "space.exists": { status: 409, retry: false, text: "A space with this id exists; choose another id." },
  "space.missing": { status: 404, retry: false, text: "No such space; create it first." },
  "space.closed": { status: 410, retry: false, text: "The space is closed and takes nothing new; create another." },
  "space.quota": { status: 413, retry: false, text: "The space's quota is used up; delete something or raise it." },
  "space.label_reserved": {
    status: 400,
    retry: false,
    text: "Labels named after a face (`hub`, `heritage.thumbnail`), and `mesh_folders`, are the server's own; choose another name.",
  },
  "log.trimmed": {
    status: 410,
    retry: false,
    text: "Events this old are gone; take a snapshot and read on from its seq.",
  },
  "log.ahead": { status: 409, retry: false, text: "`after` is past the end of the log; read from `head`." },
  "log.corrupt": {
    status: 500,
    retry: false,
    text: "An event's checksum is wrong; what comes before it can still be read. Restore the space from a copy.",
  },
  "store.full": { status: 507, retry: true, text: "The disk is full; free some space. What was acknowledged is safe." },
  "store.failed": {
    status: 503,
    retry: true,
    text: "The disk refused a write; nothing was acknowledged. See the server's log.",
  },
  "store.locked": {
    status: 409,
    retry: false,
    text: "Another server uses this data directory; stop it or use another one.",
  },
  "blob.missing": { status: 404, retry: false, text: "No blob has this digest; take digests from events." },
  "blob.corrupt": {
    status: 500,
    retry: false,
    text: "The stored bytes no longer match their digest and are not served; restore the blob from a copy.",
  },
  "generation.missing": {
    status: 404,
    retry: false,
    text: "No such generation in this space; `GET …/generations` lists those there are.",
  },
  "generation.gone": {
    status: 410,
    retry: false,
    text: "This generation is too old to go back to; `GET …/generations` lists those that are kept.",
  },
  "report.missing": {
    status: 404,
    retry: true,
    text: "There is no report yet; one is made after every rebuild of the model.",
  },
  "anchor.missing": { status: 404, retry: false, text: "No such anchor in this space; the space's state lists them." },
  "layer.missing": { status: 404, retry: false, text: "No such layer in this space; the space's state lists them." },
  "image.empty": { status: 422, retry: false, text: "The file is empty; send it again from the original." },
  "image.unsupported": {
    status: 415,
    retry: false,
    text: "Not a photo that Cairn reads; send JPEG, PNG, WebP, HEIC, GIF, TIFF or BMP.",
  },
  "image.corrupt": {
    status: 422,
    retry: false,
    text: "The photo is cut off or damaged; send it again from the original.",
  },
  "image.too_large": { status: 413, retry: false, text: "The photo is over the limit of 64 MiB or 100 megapixels." },
  "image.too_slow": {
    status: 422,
    retry: false,
    text: "The photo took too long to decode; save it again at a smaller size.",
  },
  "image.missing": { status: 404, retry: false, text: "No such image in this space; `GET …/images` lists them." },
  "image.version": {
    status: 404,
    retry: false,
    text: "No such version of the image; the last 10 and the photo as it was added are kept.",
  },
  "image.no_change": { status: 409, retry: false, text: "The image is as it was added: there is nothing to undo." },
  "image.none_changed": { status: 422, retry: false, text: "None of the images could be changed; see the steps." },
  "video.no_decoder": {
    status: 415,
    retry: false,
    text: "Nothing here decodes this video; install ffmpeg, or send H.264 of the baseline profile, which always works.",
  },
  "video.packet": {
    status: 422,
    retry: false,
    text: "A video packet that cannot be read; it reached nobody, see `facts`.",
  },
  "video.source": {
    status: 400,
    retry: false,
    text: "A source of video has a name of 1 to 64 letters, digits, dots, underscores and hyphens.",
  },
  "video.unreadable": {
    status: 422,
    retry: false,
    text: "Not a video that Cairn reads, or one whose index is missing; send MP4, MOV, WebM or H.264, see `facts`.",
  },
  "video.too_many": {
    status: 503,
    retry: true,
    text: "As many streams as may build models at a time do; this one is relayed only, until another ends.",
  },
  "upload.too_many": {
    status: 429,
    retry: true,
    text: "Too many photos or files are on their way or wait; send it again when some are done.",
  },
  "upload.unreadable": {
    status: 422,
    retry: false,
    text: "The file could not be read any more: it was changed, moved or removed. Choose it again.",
  },
  "control.device_missing": {
    status: 404,
    retry: false,
    text: "No device of this name in this space; `GET …/devices` lists them.",
  },
  "control.device_away": {
    status: 409,
    retry: true,
    text: "The device is not connected; nothing is kept for it. Try again when it is.",
  },
  "control.too_many_devices": { status: 409, retry: true, text: "No more devices fit in this space; let one go." },
  "control.replaced": { status: 409, retry: false, text: "Another connection is this device now." },
  "control.held": { status: 409, retry: true, text: "Somebody holds the device, see `facts`; ask them to release it." },
  "control.not_holder": {
    status: 403,
    retry: false,
    text: "Only who holds the device may do this; take the lease, and send its number and secret.",
  },
  "control.lease_ended": {
    status: 409,
    retry: false,
    text: "This lease is over; take a new one. A command under it goes nowhere.",
  },
  "control.stopped": {
    status: 409,
    retry: false,
    text: "An emergency stop stands; whoever holds the lease may clear the one that `facts` names.",
  },
  "control.not_stopped": { status: 409, retry: false, text: "The device is not stopped: there is nothing to clear." },
  "control.bad_command": {
    status: 422,
    retry: false,
    text: "The device does not take such a command; `GET …/devices` says what it takes, see `facts`.",
  },
  "control.replayed": {
    status: 409,
    retry: false,
    text: "A command of this number or a higher one came before; numbers rise within a lease. It goes nowhere.",
  },
  "control.too_many_commands": {
    status: 429,
    retry: true,
    text: "Too many commands for this device; send fewer, or wait until some are done.",
  },
  "operation.missing": { status: 404, retry: false, text: "No such operation in this space; the last 50 are kept." },
  "operation.finished": {
    status: 409,
    retry: false,
    text: "The operation has already ended; there is nothing to cancel.",
  },
  "operation.cancelled": { status: 409, retry: false, text: "The operation was cancelled." },
  "operation.unknown_kind": {
    status: 422,
    retry: false,
    text: "No operation of this kind exists; `rebuild` and `export:ply` do.",
  },
  "export.empty": {
    status: 409,
    retry: false,
    text: "There is no model yet; add photos and wait for the first cameras.",
  },
  "export.unknown_format": {
    status: 404,
    retry: false,
    text: "No export of this name; choose one of those that `GET …/exports` lists.",
  },
  "export.too_large": {
    status: 422,
    retry: false,
    text: "The format cannot hold this many points; choose another one, as `facts` says.",
  },
  "mesh.no_surface": {
    status: 422,
    retry: false,
    text: "The points make no surface: too few, too far apart or all along a line. Add photos, or name a larger `voxel`.",
  },
  "mesh.too_fine": {
    status: 422,
    retry: false,
    text: "Cells this small take more memory than a mesh may; ask for a larger `voxel`, or for none and the finest that fits is taken.",
  },
  "mesh.too_large": {
    status: 422,
    retry: false,
    text: "The surface takes more memory than there is; ask for less `detail`.",
  },
  "design.unreadable": {
    status: 422,
    retry: false,
    text: "The file cannot be read as a mesh, or is damaged. Save it again, see `facts`.",
  },
  "import.invalid": {
    status: 422,
    retry: false,
    text: "The file is not a point cloud that can be read, or is damaged; nothing was added. Save it again, see `facts`.",
  },
  "tile.gone": {
    status: 404,
    retry: false,
    text: "No such tile; read the tileset again and take the address from there.",
  },
  "import.empty": {
    status: 422,
    retry: false,
    text: "None of the points has a place: their coordinates are missing, no numbers, or beyond all measure.",
  },
  "recording.missing": {
    status: 404,
    retry: false,
    text: "No such recording, or no such file of it, in this space; `GET …/recordings` lists them.",
  },
  "recording.running": {
    status: 409,
    retry: true,
    text: "The recording has not ended; its files are there when it has.",
  },
  "recording.too_many": {
    status: 429,
    retry: true,
    text: "Too many recordings run at once, or too many are kept; stop one or remove some.",
  },
  "file.name_invalid": {
    status: 400,
    retry: false,
    text: "Invalid file name; send a name alone, without slashes, of at most 255 bytes.",
  },
  "file.missing": { status: 404, retry: false, text: "No file has this name; the list has them all." },
  "file.upload_missing": {
    status: 404,
    retry: false,
    text: "Unknown upload; it ended or nobody went on with it for ten minutes. Start again.",
  },
  "file.chunks_missing": { status: 409, retry: true, text: "Missing chunks; send them, then complete again." },
  "file.too_large": { status: 413, retry: false, text: "The file is over the limit; send it in parts of their own." },
  "live.away": {
    status: 503,
    retry: true,
    text: "There is no connection to the server, or it broke before the answer; this is not kept for later.",
  },
  "live.hello_expected": { status: 422, retry: false, text: "The first message must be `hello`." },
  "live.version": { status: 426, retry: false, text: "This server speaks live protocol version 1." },
  "live.unknown_type": { status: 422, retry: false, text: "Unknown message type; `/asyncapi.json` has them all." },
  "engine.failed": {
    status: 500,
    retry: true,
    text: "The reconstruction failed here and goes on with the next photo; the log has the cause.",
  },
  "engine.exit": {
    status: 500,
    retry: true,
    text: "The reconstruction program ended with an error; the log has its last words.",
  },
  "engine.timeout": {
    status: 500,
    retry: true,
    text: "The reconstruction program took too long and was ended.",
  },
  "engine.output": {
    status: 500,
    retry: true,
    text: "What the reconstruction program left cannot be used; see `problem`.",
  },
  "engine.unavailable": {
    status: 503,
    retry: true,
    text: "The reconstruction engine is not running; the log has the cause.",
  },
  "server.stopping": { status: 503, retry: true, text: "The server is shutting down; reconnect in a moment." },
  "server.internal": { status: 500, retry: true, text: "Internal error; the server's log has the cause under `ref`." },
} as const satisfies Record<string, { status: number; retry: boolean; text: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Plain values that say which one and how much; never a path of the server's disk. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/** The only error that crosses a package or the wire. */
export class CairnError extends Error {
  override readonly name = "CairnError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, facts: ErrorFacts = {}, cause?: unknown) {
    const detail = Object.entries(facts).map(([key, value]) => `${key}: ${value}`);
    super(ERRORS[code].text + (detail.length ? ` (${detail.join(", ")})` : ""), cause === undefined ? {} : { cause });
    this.code = code;
    this.facts = facts;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retry(): boolean {
    return ERRORS[this.code].retry;
  }

  /** The form every door answers with; `detail` is what older clients show. */
  toJSON(): ErrorBody {
    return { code: this.code, detail: this.message, retry: this.retry, facts: this.facts };
  }
}

export type ErrorBody = { code: ErrorCode; detail: string; retry: boolean; facts: ErrorFacts };
