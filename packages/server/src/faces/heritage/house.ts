/** What the doors of the heritage face share. */
import type { ServerContext } from "../../context.ts";
import type { ClientHouse } from "./client.ts";
import type { Project } from "./project.ts";
import type { Shards } from "./shards.ts";

/** A space that heritage clients have used carries this label. */
export const HERITAGE = "heritage";

export type HeritageHouse = {
  readonly context: ServerContext;
  readonly shards: Shards;
  /** The project of this name, made at first use. @throws {CairnError} `space.id_invalid` */
  open(id: string): Promise<Project>;
  /** The project of this name, if there is one. */
  find(id: string): Promise<Project | undefined>;
  /** Resolves when the photo is durable. */
  ingest: ClientHouse["ingest"];
};
