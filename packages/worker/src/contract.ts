/** What both sides of a worker boundary share. Jobs are an interface of the caller's own, `JobMap`. */
import type { Transferable } from "node:worker_threads";
import { CairnError, type ErrorCode, type ErrorFacts } from "@cairn/protocol/errors";

/** What a job may tell while it works. */
export interface Report {
  progress(done: number, total: number): void;
  /** Aborts when the caller has lost interest. Reaches a job only at an `await`. */
  readonly signal: AbortSignal;
  /** Moves these with the result instead of copying them. */
  move(...items: Transferable[]): void;
}

/** An interface of functions `(input, report) => result`. */
export type JobMap<Jobs> = { [Name in keyof Jobs]: (input: never, report: Report) => unknown };
export type JobInput<Jobs extends JobMap<Jobs>, Name extends keyof Jobs> = Parameters<Jobs[Name]>[0];
export type JobResult<Jobs extends JobMap<Jobs>, Name extends keyof Jobs> = Awaited<ReturnType<Jobs[Name]>>;

export type ToWorker =
  | { readonly type: "run"; readonly id: number; readonly name: PropertyKey; readonly input: unknown }
  | { readonly type: "cancel"; readonly id: number };

export type FromWorker =
  | { readonly type: "progress"; readonly id: number; readonly done: number; readonly total: number }
  | { readonly type: "done"; readonly id: number; readonly result: unknown }
  | { readonly type: "failed"; readonly id: number; readonly error: WireError };

/** An error as it crosses: structured clone loses the class and the fields of a `CairnError`. */
type WireError = {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: ErrorCode;
  readonly facts?: ErrorFacts;
};

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  return error instanceof CairnError
    ? { name, message, stack, code: error.code, facts: error.facts }
    : { name, message, stack };
}

export function fromWire(wire: WireError): Error {
  if (wire.code) return new CairnError(wire.code, wire.facts);
  const error = wire.name === "RangeError" ? new RangeError(wire.message) : new Error(wire.message);
  error.name = wire.name;
  if (wire.stack) error.stack = wire.stack;
  return error;
}
