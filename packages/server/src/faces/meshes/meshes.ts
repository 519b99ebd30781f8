/**
 * The meshes face: some program writes designs into a folder; each is announced to everybody, served, and kept with its
 * history. Contract: MSH.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { openDesigns } from "@cairn/core";
import type { ServerContext } from "../../context.ts";
import type { Face } from "../face.ts";
import type { FaceSocket } from "../face-socket.ts";
import { MeshClient } from "./client.ts";
import type { FolderOptions } from "./folder.ts";
import { type DesignEvent, Library } from "./library.ts";
import { meshRoutes } from "./mesh-routes.ts";
import { thumbnails } from "./thumbnails.ts";

/** Collections of the original: their designs are STL files, as its clients expect. */
const ORIGINAL = new Set(["current", "archive", "demo"]);

export async function openMeshes(context: ServerContext): Promise<Face> {
  const { core, log } = context;
  const { folders, current } = await foldersOf(context);
  const designs = openDesigns(core.blobs);
  const library = new Library({ spaces: core.spaces, designs, folders, log, named: context.meshFolders.length > 0 });
  await library.start();
  const thumbnail = thumbnails(designs, context.cache("mesh-thumbnails"));
  const sockets = new Set<FaceSocket>();
  const encoded = new WeakMap<DesignEvent, Buffer>();

  return {
    name: "meshes",
    service: "mesh-updates",
    manner: {
      error: (message, facts) => ({ event: "error", message, ...facts }),
      pong(said) {
        const type = typeof said === "string" ? said : (said.event ?? said.type);
        return type === "ping" ? { event: "pong" } : undefined;
      },
      notAnObject: (text) => `Unknown message: ${text.slice(0, 64)}`,
      binary: "Binary messages are not accepted here",
    },
    sockets: [
      {
        path: "/ws/meshes",
        async open(socket, { query }) {
          // Whoever listens will want the next design soon.
          if (sockets.size === 0) designs.warm();
          sockets.add(socket);
          socket.signal.addEventListener("abort", () => sockets.delete(socket), { once: true });
          await new MeshClient(socket, library, encoded).run(query, sockets.size);
        },
      },
    ],
    routes: (app) => meshRoutes(app, { library, blobs: core.blobs, directory: basename(current), log, thumbnail }),
    health: () => ({ designs: library.all(new Set(library.collections)).length, seq: library.lastSeq }),
    problems: () => library.problems,
    async close() {
      await library.close();
      await designs.close();
    },
  };
}

/** MSH-1: those that were named; `current` within the data where nobody named it; `archive` and `demo` beside it. */
async function foldersOf(context: ServerContext): Promise<{ folders: FolderOptions[]; current: string }> {
  const named = new Map(context.meshFolders.map(({ name, dir }) => [name, dir]));
  let current = named.get("current");
  if (current === undefined) {
    current = join(context.dataDir, "meshes", "current");
    await mkdir(current, { recursive: true });
    named.set("current", current);
  }
  for (const name of ["archive", "demo"]) {
    const beside = join(dirname(current), name);
    if (!named.has(name) && existsSync(beside)) named.set(name, beside);
  }
  const folders = [...named].map(
    ([name, dir]): FolderOptions => ({
      name,
      dir,
      deep: name === "demo",
      formats: ORIGINAL.has(name) ? ["stl"] : ["stl", "obj", "glb", "ply"],
    }),
  );
  return { folders, current };
}
