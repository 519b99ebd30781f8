/** What is known of projects. Rules HER-1 to HER-3. */
import { CairnError } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import { requestReaches } from "../../http/access.ts";
import { Refusal } from "../refusal.ts";
import { HERITAGE, type HeritageHouse } from "./house.ts";
import type { Project } from "./project.ts";
import { isoSeconds } from "./times.ts";

export function statusRoutes(app: FastifyInstance, house: HeritageHouse): void {
  app.get<{ Params: { project: string } }>("/projects/:project/status", async ({ params }) => {
    const project = await allowed(() => house.find(params.project));
    return statusOf(params.project, project);
  });

  app.get("/projects", { config: { place: "own" } }, async (request) => {
    const spaces = (await house.context.core.spaces.list()).filter(
      ({ id, labels }) => labels?.[HERITAGE] === true && requestReaches(request, id),
    );
    const known = await Promise.all(spaces.map(({ id }) => house.find(id)));
    const newestFirst = known
      .flatMap((project) => (project ? [project] : []))
      .sort((a, b) => Number(lastActivityNs(b) - lastActivityNs(a)));
    return { projects: newestFirst.map((project) => statusOf(project.space.id, project)) };
  });
}

/** @throws {Refusal} 400 where the name cannot be one of a project */
export async function allowed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CairnError && error.code === "space.id_invalid") {
      throw new Refusal(400, "Project id is not allowed");
    }
    throw error;
  }
}

function statusOf(id: string, project: Project | undefined) {
  const progress = project?.progress;
  return {
    project_id: id,
    active_clients: project?.clients ?? 0,
    update_count: progress?.updates ?? 0,
    total_images: progress?.total ?? 0,
    last_full_refetch: progress?.lastRefetchNs === undefined ? null : isoSeconds(progress.lastRefetchNs),
    epoch: progress?.epoch ?? 0,
    queued_images: progress?.queued ?? 0,
  };
}

function lastActivityNs({ progress }: Project): bigint {
  return BigInt(progress.lastNs);
}
