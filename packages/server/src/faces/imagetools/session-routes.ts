/** Sessions. Rules IMG-19 to IMG-24. */
import type { Space } from "@cairn/core";
import { CairnError, type Labels, nowNs, type SpaceState } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";
import { mayDo } from "../../http/access.ts";
import { readFields } from "../fields.ts";
import { Refusal } from "../refusal.ts";
import { findSession, type ImagetoolsHouse, withoutNulls } from "./house.ts";
import { BY_HANDLER, mustReach } from "./places.ts";
import { GRACE_NS, isOver, SESSION, sessionEndNs, USER } from "./session.ts";
import { API } from "./shapes.ts";
import { isoMicros } from "./times.ts";

const NewSession = Type.Object({
  user_id: Type.Optional(Type.String({ maxLength: 1000 })),
  custom_session_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9._-]+$" })),
  ttl_seconds: Type.Integer({ minimum: 1, maximum: 2_592_000, default: 604_800 }),
});

const EventsQuery = Type.Object({ after: Type.Optional(Type.Integer({ minimum: 0 })) });
const MOST_EVENTS = 500;

type Named = { Params: { session: string } };

export function sessionRoutes(app: FastifyInstance, house: ImagetoolsHouse): void {
  const { core } = house.context;

  app.post(`${API}/sessions`, BY_HANDLER, async (request) => {
    const {
      user_id: user,
      custom_session_id: id,
      ttl_seconds,
    } = readFields(NewSession, withoutNulls(request.body), "body");
    // One that is made takes an id of its own choice, which is in nobody's list.
    mustReach(request, id);
    const endOf = (startNs: string) => String(BigInt(startNs) + BigInt(ttl_seconds) * 1_000_000_000n + GRACE_NS);
    const labels: Labels = { [SESSION]: true, ...(user !== undefined && { [USER]: user }) };
    const settings = { reconstruct: false, maxImages: house.limits.images };
    try {
      const made = { ...(id !== undefined && { id }), title: id ?? "", labels, settings, expiresNs: endOf(nowNs()) };
      const space = await core.spaces.create(made);
      // Its life is counted from when it was made, which took a moment: seven days are seven days to those who subtract.
      await space.expireAt(endOf(space.log.snapshot().state.createdNs));
      return sessionResponse(space);
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      if (error.code === "space.id_invalid") {
        const msg = "This id has another meaning";
        throw new Refusal(422, [{ type: "value_error", loc: ["body", "custom_session_id"], msg, input: id }]);
      }
      if (error.code !== "space.exists" || id === undefined) throw error;
      return renewed(await core.spaces.open(id), endOf(nowNs()), user);
    }
  });

  app.get<Named>(`${API}/sessions/:session`, async ({ params }) => {
    const session = await findSession(house, params.session);
    if (!session) throw new Refusal(404, "Session not found");
    return sessionResponse(session.space);
  });

  app.get<Named>(`${API}/sessions/:session/validate`, async ({ params }) => {
    const session = await findSession(house, params.session);
    return { valid: session !== undefined && !isOver(session.space.log.snapshot().state) };
  });

  // What a socket would have said, for pages that have none (IMG-70).
  app.get<Named & { Querystring: Record<string, unknown> }>(`${API}/sessions/:session/events`, async (request) => {
    const { after } = readFields(EventsQuery, request.query, "query");
    const session = await findSession(house, request.params.session);
    if (!session) throw new Refusal(404, "Session not found");
    const { head } = session.space.log;
    return after === undefined ? { events: [], seq: head } : session.after(after, MOST_EVENTS);
  });

  app.delete<Named>(`${API}/sessions/:session`, async ({ params, pass }) => {
    const session = await findSession(house, params.session);
    if (!session) throw new Refusal(404, "Session not found");
    // What was made elsewhere is deleted by those who may delete it there.
    const ownKind = session.space.log.snapshot().state.labels?.[SESSION] === true;
    if (!ownKind && !(pass && mayDo(pass, "admin"))) throw new CairnError("auth.forbidden");
    await core.spaces.delete(session.space.id);
    return { success: true, message: "Session deleted" };
  });
}

/** A space that was not made here keeps its own end: it is somebody else's, too. */
async function renewed(space: Space, expiresNs: string, user: string | undefined) {
  if (space.log.snapshot().state.labels?.[SESSION] === true) await space.expireAt(expiresNs);
  if (user !== undefined && userOf(space.log.snapshot().state) !== user) await space.label({ [USER]: user });
  return sessionResponse(space);
}

function sessionResponse(space: Space) {
  const { state } = space.log.snapshot();
  const endNs = sessionEndNs(state);
  return {
    id: space.id,
    user_id: userOf(state) ?? null,
    created_at: isoMicros(state.createdNs),
    expires_at: endNs === undefined ? null : isoMicros(endNs),
  };
}

function userOf({ labels }: SpaceState): string | undefined {
  const user = labels?.[USER];
  return typeof user === "string" ? user : undefined;
}
