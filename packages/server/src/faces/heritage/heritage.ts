/**
 * The heritage face: many people photograph a site and see one cloud grow in shards. A project is a space; its state
 * is what the space's log says. Contract: HER.
 */
import { ingestImage, type Space } from "@cairn/core";
import { CairnError, CLOSE, checkSpaceId } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import type { Arrival } from "../../http/upgrades.ts";
import type { Face } from "../face.ts";
import type { FaceSocket } from "../face-socket.ts";
import { causeOf } from "../refusal.ts";
import { type ClientHouse, HeritageClient } from "./client.ts";
import { HERITAGE, type HeritageHouse } from "./house.ts";
import { legacyRoutes } from "./legacy-routes.ts";
import { Project } from "./project.ts";
import { Shards } from "./shards.ts";
import { SharedTexts } from "./shared-texts.ts";
import { statusRoutes } from "./status-routes.ts";
import { isoMillis } from "./times.ts";
import { UnbegunProjects } from "./unbegun.ts";
import { refusalText } from "./upload.ts";

export function openHeritage(context: ServerContext): Face {
  const { core, decoder, log } = context;
  const projects = new Map<string, Project>();
  const shards = new Shards(core.blobs, context.cache("heritage"));
  const unbegun = new UnbegunProjects(core.spaces);
  const encoded = new SharedTexts((error, key) => log.error({ err: error, key }, "a shard could not be made"));

  async function project(id: string): Promise<Project> {
    const space = await core.spaces.open(id);
    const known = projects.get(id);
    const opened = known?.space === space ? known : follow(id, space);
    await opened.ready;
    return opened;
  }

  /** Known until its space ends, or its log cannot be read: who asks then makes another attempt. */
  function follow(id: string, space: Space): Project {
    const opened = new Project(space, (error) => {
      log.error({ err: error, id }, "a project");
      forget();
    });
    const forget = () => {
      if (projects.get(id) === opened) projects.delete(id);
    };
    space.signal.addEventListener("abort", forget, { once: true });
    projects.set(id, opened);
    return opened;
  }

  const house: HeritageHouse = {
    context,
    shards,
    async open(id) {
      checkSpaceId(id);
      const made = { id, title: id, settings: { rebuildWhenIdle: false }, labels: { [HERITAGE]: true } };
      const space = await core.spaces.create(made).catch(async (error: unknown) => {
        if (error instanceof CairnError && error.code === "space.exists") return core.spaces.open(id);
        throw error;
      });
      const { labels, settings } = space.log.snapshot().state;
      if (!labels?.[HERITAGE]) await space.label({ [HERITAGE]: true });
      // Photos only lie in a session of image tools; whoever opens it as a site wants them seen as one (GEN-41).
      if (settings.reconstruct === false) await space.configure({ reconstruct: true });
      return project(id);
    },
    async find(id) {
      checkSpaceId(id);
      return project(id).catch((error: unknown) => {
        if (error instanceof CairnError && error.code === "space.missing") return undefined;
        throw error;
      });
    },
    ingest: ({ space }, { bytes, name }, signal) =>
      ingestImage(core, space, { bytes, name, source: "heritage", copyCounts: context.copiesCount }, decoder, signal),
  };
  const clientHouse: ClientHouse = {
    shards,
    log,
    encoded,
    ingest: house.ingest,
    refusal: (error) => ({ text: refusalText(error) ?? `Failed to process image: ${causeOf(error, log)}` }),
  };

  /** Whoever may only watch changes nothing: a project that is not there is begun by somebody else. */
  function enter(socket: FaceSocket, { params, token }: Arrival): Promise<Project | undefined> {
    const id = params.project ?? "";
    if (context.access.judge(token, "contribute", id) === "granted") return house.open(id);
    return unbegun.watch(socket, id, () => house.find(id));
  }

  async function serve(socket: FaceSocket, arrival: Arrival): Promise<void> {
    let opened: Project | undefined;
    try {
      opened = await enter(socket, arrival);
    } catch (error) {
      if (!(error instanceof CairnError) || error.code !== "space.id_invalid") throw error;
      socket.error("Project id is not allowed");
      socket.close(CLOSE.notAllowedId, "Project id is not allowed");
      return;
    }
    if (!opened) return;
    const { signal } = opened.space;
    const onEnd = () => {
      const stopping = signal.reason instanceof CairnError && signal.reason.code === "server.stopping";
      socket.close(stopping ? CLOSE.stopping : CLOSE.normal, stopping ? "server shutting down" : "");
    };
    signal.addEventListener("abort", onEnd, { once: true });
    opened.clients++;
    try {
      await new HeritageClient(clientHouse, socket, opened).run();
    } finally {
      opened.clients--;
      signal.removeEventListener("abort", onEnd);
    }
  }

  return {
    name: "heritage",
    service: "heritage-reconstruction-websocket",
    manner: {
      error: (message, facts) => ({ type: "error", message, ...facts }),
      pong: (said) =>
        typeof said === "object" && said.type === "ping"
          ? { type: "pong", timestamp: isoMillis(String(BigInt(Date.now()) * 1_000_000n)) }
          : undefined,
      notAnObject: () => "Invalid message: expected a JSON object",
      binary: "Binary messages are not accepted here",
    },
    sockets: [{ path: "/ws/:project", open: serve }],
    routes(app) {
      statusRoutes(app, house);
      legacyRoutes(app, house);
    },
    health: () => ({
      active_projects: [...projects.values()].filter(({ clients }) => clients > 0).length,
    }),
  };
}
