/** In which sessions a request is at work, for who may be in some only: most routes name an image or an operation. GEN-35. */
import { CairnError } from "@cairn/protocol";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { requestReaches } from "../../http/access.ts";
import type { ImagetoolsHouse } from "./house.ts";

/** Every route of the scope is looked at before it runs. */
export function guardPlaces(app: FastifyInstance, house: ImagetoolsHouse): void {
  app.addHook("onRoute", (route) => {
    route.config = { place: "own", ...route.config };
  });
  app.addHook("preHandler", async (request) => {
    if (request.pass?.spaces === undefined || request.routeOptions.config.place === "any") return;
    // Their form says it, and is read by the route.
    if (request.isMultipart() && !Object.hasOwn(request.params as object, "image")) return;
    for (const space of placesOf(house, request)) mustReach(request, space);
  });
}

/** @param space left out: the whole server. @throws {CairnError} `auth.forbidden` */
export function mustReach(request: FastifyRequest, space: string | undefined): void {
  if (request.pass?.spaces === undefined || (space !== undefined && requestReaches(request, space))) return;
  throw new CairnError("auth.forbidden");
}

function placesOf({ spaces, open }: ImagetoolsHouse, request: FastifyRequest): (string | undefined)[] {
  const { session, image, operation } = request.params as Record<string, string | undefined>;
  if (session !== undefined) return [session];
  const ofImage = (id: string) => [...spaces].find((space) => Object.hasOwn(space.log.snapshot().state.images, id))?.id;
  if (image !== undefined) return [ofImage(image)];
  if (operation !== undefined) {
    return [[...open()].find(({ log }) => log.operation(operation) !== undefined)?.space.id];
  }
  const said = { ...(request.query as object), ...(request.body as object | undefined) } as Record<string, unknown>;
  const ids = Array.isArray(said.image_ids) ? said.image_ids.map((id) => ofImage(String(id))) : [];
  const named = said.session_id ?? said.custom_session_id;
  return typeof named === "string" ? [named, ...ids] : ids.length > 0 ? ids : [undefined];
}
