/** In which sessions a request is at work, for who may be in some only: most routes name an image or an operation. GEN-35. */
import { CairnError } from "@cairn/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { requestReaches } from "../../http/access.ts";
import { type ImagetoolsHouse, rememberingSpaces } from "./house.ts";

/** Of a route that knows where it is only when it has read what was sent, and looks itself. */
export const BY_HANDLER = { config: { place: "handler" } } as const;

/** Every route of the scope is looked at before it runs. */
export function guardPlaces(app: FastifyInstance, house: ImagetoolsHouse): void {
  app.addHook("onRoute", (route) => {
    route.config = { place: "own", ...route.config };
  });
  app.addHook("preHandler", async (request) => {
    const { place } = request.routeOptions.config;
    if (request.pass?.spaces === undefined || place === "any" || place === "handler") return;
    for (const space of placesOf(house, request)) mustReach(request, space);
  });
}

/** @param space left out: the whole server. @throws {CairnError} `auth.forbidden` */
export function mustReach(request: FastifyRequest, space: string | undefined): void {
  if (request.pass?.spaces === undefined || (space !== undefined && requestReaches(request, space))) return;
  throw new CairnError("auth.forbidden");
}

/** By what the route acts on: its path, else the fields that every route without a name in its path reads. */
function placesOf(house: ImagetoolsHouse, request: FastifyRequest): (string | undefined)[] {
  const { session, image, operation } = request.params as Record<string, string | undefined>;
  const ofImage = (id: string) =>
    [...house.spaces].find((space) => Object.hasOwn(space.log.snapshot().state.images, id))?.id;
  if (session !== undefined) return [session];
  if (image !== undefined) return [ofImage(image)];
  if (operation !== undefined) return [rememberingSpaces(house, operation)[0]?.id];
  const said = { ...(request.query as object), ...(request.body as object | undefined) } as Record<string, unknown>;
  const ids = Array.isArray(said.image_ids) ? said.image_ids.map((id) => ofImage(String(id))) : [];
  if (typeof said.session_id === "string") return [said.session_id, ...ids];
  return ids.length > 0 ? ids : [undefined];
}
