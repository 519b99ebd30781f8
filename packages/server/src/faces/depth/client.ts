/** What a client says on a session's socket, and what it is answered. Rules DEP-18 to DEP-36, DEP-45 to DEP-54. */
import { ingestImage } from "@cairn/core";
import { CairnError, CLOSE } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { decodeBase64 } from "../base64.ts";
import { type FaceSocket, shownType } from "../face-socket.ts";
import { readFields } from "../fields.ts";
import { causeOf, Refusal } from "../refusal.ts";
import { SessionParams } from "./params.ts";
import type { Request, Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

type Message = Readonly<Record<string, unknown>>;

/** Of the sender's name for an image, characters; a longer one is none. */
const MOST_KEY_LENGTH = 200;

/** Sockets and the session that each is on, for the answer to a ping. */
export const sessionOf = new WeakMap<FaceSocket, Session>();

export class DepthClient {
  readonly #context: ServerContext;
  readonly #sessions: Sessions;
  readonly #socket: FaceSocket;
  #session: Session | undefined;

  constructor(context: ServerContext, sessions: Sessions, socket: FaceSocket) {
    this.#context = context;
    this.#sessions = sessions;
    this.#socket = socket;
  }

  /** On the session in the path. */
  join(id: string): void {
    const session = this.#sessions.find(id);
    if (!session) {
      const text = `Session ${id.slice(0, 64)} not found`;
      this.#socket.error(text);
      this.#socket.close(CLOSE.missing, text);
      return;
    }
    this.#enter(session);
    const { space, params, images, status, result } = session;
    this.#socket.reply({
      type: "connected",
      session_id: space.id,
      image_count: images.length,
      max_images: params.max_images,
      status,
      has_result: result !== undefined,
    });
    this.#socket.listen((message) => this.#take(message));
  }

  /** The later dialect: the first message makes the session. */
  begin(): void {
    this.#socket.listen(async (message) => {
      if (this.#session) {
        if (message.type === "init") this.#socket.error("Session already initialized");
        else await this.#take(message);
        return;
      }
      if (message.type !== "init") {
        this.#socket.error("No session initialized. Send 'init' message first.");
        return;
      }
      if (!this.#socket.may("contribute")) return;
      try {
        const session = await this.#sessions.create(readFields(SessionParams, message, "body"));
        this.#enter(session);
        const { space, params } = session;
        this.#socket.reply({
          type: "session_created",
          session_id: space.id,
          max_images: params.max_images,
          config: configOf(session),
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const { detail } = error;
        this.#socket.error(
          typeof detail === "string" ? detail : `Invalid message format: ${detail[0]?.loc.at(-1)}: ${detail[0]?.msg}`,
        );
      }
    });
  }

  #enter(session: Session): void {
    this.#session = session;
    sessionOf.set(this.#socket, session);
    if (this.#socket.signal.aborted) return;
    session.sockets.add(this.#socket);
    this.#socket.signal.addEventListener("abort", () => session.sockets.delete(this.#socket), { once: true });
  }

  async #take(message: Message): Promise<void> {
    const session = this.#session!;
    session.touch();
    switch (message.type) {
      case "image":
        if (!this.#socket.may("contribute")) return;
        return this.#image(session, message);
      case "generate":
      case "finalize":
        if (!this.#socket.may("contribute")) return;
        return this.#ask(session, message);
      default:
        this.#socket.error(`Unknown message type: ${shownType(message.type)}`);
    }
  }

  /** @param message its `key`, where it has one, is the sender's own name for it: sent again it is the same image */
  async #image(session: Session, { data, filename, key: said }: Message): Promise<void> {
    const refuse = (cause: string) => this.#socket.error(`Failed to process image: ${cause}`);
    if (typeof data !== "string" || data === "") return refuse("no image data");
    const { space, params } = session;
    const full = `maximum number of images (${params.max_images}) reached`;
    const key = typeof said === "string" && said !== "" && said.length <= MOST_KEY_LENGTH ? said : undefined;
    const isThere = key !== undefined && session.images.some((image) => image.key === key);
    if (session.images.length >= params.max_images && !isThere) return refuse(full);
    const bytes = decodeBase64(data);
    if (!bytes) return refuse("invalid base64");
    const { core, decoder, copiesCount, log } = this.#context;
    try {
      const wanted = typeof filename === "string" ? filename : "";
      const taken = await session.take({ wanted, bytes, key }, (name) => {
        const photo = { bytes, name, source: "depth", copyCounts: copiesCount, key };
        return ingestImage(core, space, photo, decoder, space.signal);
      });
      const { name, count: image_count, known } = taken;
      this.#socket.reply({ type: "ack", image_count, session_id: space.id, image_path: name });
      const every = params.auto_generate_after;
      if (every > 0 && image_count % every === 0 && !known) {
        session.tell({ type: "auto_generating", image_count, message: `Generating after ${image_count} images...` });
        session.ask({ kind: "generate", incremental: true, glb: "inline", auto: true });
      }
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "space.quota") refuse(full);
      else if (error.code === "image.too_large") refuse("image too large");
      else if (error.code.startsWith("image.")) refuse("not a readable image");
      else refuse(causeOf(error, log));
    }
  }

  #ask(session: Session, { type, incremental = false, glb = "inline" }: Message): void {
    if (typeof incremental !== "boolean") {
      this.#socket.error("Invalid message format: incremental must be a boolean");
      return;
    }
    if (glb !== "inline" && glb !== "url") {
      this.#socket.error("Invalid message format: glb must be inline or url");
      return;
    }
    if (session.images.length === 0) {
      this.#socket.error("No images in session");
      return;
    }
    const request: Request = { kind: type as Request["kind"], incremental, glb };
    if (!session.ask(request)) this.#socket.error("Too many requests waiting");
  }
}

export function configOf({ params }: Session): Omit<SessionParams, "max_images"> {
  const { max_images: _, ...config } = params;
  return config;
}
