/** Steering by HTTP: what devices there are, who holds them, commands and stops. A device itself comes by the live socket. */
import type { SpaceControl } from "@cairn/core";
import {
  CairnError,
  Command,
  CommandState,
  DeviceDefinition,
  type DeviceState,
  LeaseKey,
  LeaseWish,
  OrderNumber,
  PersonName,
  TimeNs,
  Until,
} from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ServerContext } from "../context.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";

const DeviceParams = Type.Object({ space: Type.String(), device: Type.String() });
type DeviceParams = Static<typeof DeviceParams>;

const DeviceShape = Type.Object({
  ...DeviceDefinition.properties,
  connected: Type.Boolean(),
  sinceNs: TimeNs,
  lease: Type.Optional(
    Type.Object({ lease: Type.Integer(), holder: Type.String(), heartbeatMs: Type.Integer(), sinceNs: TimeNs }),
  ),
  stopped: Type.Optional(
    Type.Object({
      order: Type.Integer(),
      by: Type.Optional(Type.String()),
      sinceNs: TimeNs,
      secured: Type.Boolean({ description: "The device has done so." }),
    }),
  ),
  owed: Type.Optional(Type.Integer({ description: "A safe order that it has not acknowledged." })),
  commands: Type.Array(CommandState, { description: "The last ones, oldest first." }),
});

/** Of the source of the same name: who streams from a device answers for its clock. */
const Clock = Type.Object({
  offsetNs: Type.String({ pattern: "^-?[0-9]+$", description: "The server's clock less the device's." }),
  uncertaintyNs: Type.String({ pattern: "^[0-9]+$", description: "The offset is within this of the truth." }),
  driftPpm: Type.Number({ description: "The offset grows so many millionths of the time." }),
});
const ListedDevice = Type.Object({ ...DeviceShape.properties, clock: Type.Optional(Clock) });
type ListedDevice = DeviceState & { clock?: Static<typeof Clock> };

const Grant = Type.Object({
  device: Type.String(),
  ...LeaseKey.properties,
  holder: Type.String(),
  heartbeatMs: Type.Integer(),
});
const CommandBody = Type.Object({ ...LeaseKey.properties, ...Command.properties, until: Type.Optional(Until) });
const ClearBody = Type.Object({ ...LeaseKey.properties, order: OrderNumber });
const StopBody = Type.Object({ by: Type.Optional(PersonName) });
const Stops = Type.Object({ stops: Type.Array(Type.Object({ device: Type.String(), order: Type.Integer() })) });
const Nothing = { 204: Type.Null(), ...refusals };

type Steering<Body> = { Params: DeviceParams; Body: Body };

/** Rules CTL-17, CTL-18. */
export function deviceRoutes(app: FastifyInstance, { core }: Pick<ServerContext, "core">): void {
  const controlOf = async (id: string): Promise<SpaceControl> => core.control.of(await core.spaces.open(id));
  const steering = {
    config: { role: "operate" as const },
    // What is malformed or not allowed is refused before the handler, and noted down all the same.
    onError: async (request: FastifyRequest, _reply: FastifyReply, error: unknown) => {
      if (!(error instanceof CairnError) || !/^(request|auth)\./.test(error.code)) return;
      await noteRefusal(request, error);
    },
  };

  /** Names are a space's own: a source that records elsewhere is another device. */
  function clockOf(name: string, space: string): { clock?: Static<typeof Clock> } {
    const estimate = core.video.source(name)?.space === space ? core.clock.devices.estimate(name) : undefined;
    if (!estimate) return {};
    const { offsetNs, uncertaintyNs, driftPpm } = estimate;
    return { clock: { offsetNs: String(offsetNs), uncertaintyNs: String(uncertaintyNs), driftPpm } };
  }

  async function noteRefusal(request: FastifyRequest, error: CairnError): Promise<void> {
    const { space, device } = request.params as DeviceParams;
    const asked = request.routeOptions.url?.split("/").at(-1) ?? "";
    const what =
      asked === "keep" || asked === "release" || asked === "clear" ? asked : asked === "lease" ? "take" : "command";
    const control = await controlOf(space).catch(() => undefined);
    control?.refused({ what, device }, error);
  }

  const Listing = Type.Object({ devices: Type.Array(ListedDevice) });
  app.get<{ Params: SpaceParams }>(
    "/v1/spaces/:space/devices",
    { schema: { operationId: "listDevices", params: SpaceParams, response: { 200: Listing, ...refusals } } },
    async (request): Promise<{ devices: ListedDevice[] }> => {
      const space = await core.spaces.open(request.params.space);
      const devices = Object.values(space.log.snapshot().state.control?.devices ?? {});
      return { devices: devices.map((device) => ({ ...device, ...clockOf(device.device, space.id) })) };
    },
  );

  app.post<Steering<LeaseWish>>(
    "/v1/spaces/:space/devices/:device/lease",
    {
      ...steering,
      schema: {
        operationId: "takeLease",
        description: "The secret is told once. Keep the lease every `heartbeatMs`, or it ends after three of them.",
        params: DeviceParams,
        body: LeaseWish,
        response: { 201: Grant, ...refusals },
      },
    },
    async (request, reply) => {
      const control = await controlOf(request.params.space);
      return reply.code(201).send(await control.take(request.params.device, request.body));
    },
  );

  app.post<Steering<LeaseKey>>(
    "/v1/spaces/:space/devices/:device/lease/keep",
    {
      ...steering,
      schema: {
        operationId: "keepLease",
        params: DeviceParams,
        body: LeaseKey,
        response: { 200: Type.Object({ remainingMs: Type.Number() }), ...refusals },
      },
    },
    async (request) => (await controlOf(request.params.space)).keep(request.params.device, request.body),
  );

  app.post<Steering<LeaseKey>>(
    "/v1/spaces/:space/devices/:device/lease/release",
    {
      ...steering,
      schema: { operationId: "releaseLease", params: DeviceParams, body: LeaseKey, response: Nothing },
    },
    async (request, reply) => {
      await (await controlOf(request.params.space)).release(request.params.device, request.body);
      return reply.code(204).send();
    },
  );

  app.post<Steering<Static<typeof CommandBody>>>(
    "/v1/spaces/:space/devices/:device/commands",
    {
      ...steering,
      schema: {
        operationId: "sendCommand",
        description:
          "`command` is your own number, higher than the ones before under this lease; the same again is not done again. " +
          "`until` waits for the device's answer.",
        params: DeviceParams,
        body: CommandBody,
        response: { 200: CommandState, ...refusals },
      },
    },
    async (request): Promise<CommandState> => {
      const { until = "sent", ...command } = request.body;
      const sent = await (await controlOf(request.params.space)).send(request.params.device, command, command);
      if (until !== "sent") await sent.reached(until);
      return sent.state;
    },
  );

  app.post<Steering<Static<typeof ClearBody>>>(
    "/v1/spaces/:space/devices/:device/clear",
    {
      ...steering,
      schema: {
        operationId: "clearStop",
        description: "`order` is the stop that is meant; where a newer one stands, it stays.",
        params: DeviceParams,
        body: ClearBody,
        response: Nothing,
      },
    },
    async (request, reply) => {
      const control = await controlOf(request.params.space);
      await control.clear(request.params.device, request.body, request.body.order);
      return reply.code(204).send();
    },
  );

  const stop = { description: "An emergency stop, by anyone who may watch.", body: StopBody };
  app.post<Steering<Static<typeof StopBody>>>(
    "/v1/spaces/:space/devices/:device/stop",
    {
      config: { role: "view" },
      schema: { operationId: "stopDevice", ...stop, params: DeviceParams, response: { 200: Stops, ...refusals } },
    },
    async ({ params, body }) => ({ stops: await (await controlOf(params.space)).stop(params.device, body.by) }),
  );

  app.post<{ Params: SpaceParams; Body: Static<typeof StopBody> }>(
    "/v1/spaces/:space/stop",
    {
      config: { role: "view" },
      schema: { operationId: "stopDevices", ...stop, params: SpaceParams, response: { 200: Stops, ...refusals } },
    },
    async ({ params, body }) => ({ stops: await (await controlOf(params.space)).stop(undefined, body.by) }),
  );
}
