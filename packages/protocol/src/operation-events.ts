/** Operations: work that takes long, from its place in the queue to its end. */

import { Id } from "./ids.ts";
import { type TSchema, Type } from "./schema.ts";

export const OPERATION_EVENTS = {
  "operation.queued": Type.Object({
    operation: Id,
    kind: Type.String({ maxLength: 64 }),
    /** What is to be done, where a start after a crash goes on with it: the kind's own. */
    plan: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  }),
  "operation.started": Type.Object({ operation: Id, kind: Type.String({ maxLength: 64 }) }),
  "operation.progressed": Type.Object({
    operation: Id,
    stage: Type.String({ maxLength: 64 }),
    done: Type.Number({ minimum: 0 }),
    total: Type.Number({ minimum: 0 }),
    message: Type.Optional(Type.String({ maxLength: 500 })),
    /** Likely time left, milliseconds, from…to. */
    etaMs: Type.Optional(Type.Tuple([Type.Number({ minimum: 0 }), Type.Number({ minimum: 0 })])),
    /** This step did not work; the others go on. */
    problem: Type.Optional(
      Type.Object({ image: Type.Optional(Id), code: Type.String(), message: Type.String({ maxLength: 500 }) }),
    ),
  }),
  "operation.completed": Type.Object({
    operation: Id,
    result: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))),
  }),
  "operation.failed": Type.Object({ operation: Id, code: Type.String(), message: Type.String({ maxLength: 500 }) }),
  "operation.cancelled": Type.Object({ operation: Id }),
} as const satisfies Record<string, TSchema>;
