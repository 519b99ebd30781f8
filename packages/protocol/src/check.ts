/** Edges parse, insides trust: unknown JSON becomes a typed value here, or an error that names the field. */

import { CairnError } from "./errors.ts";
import { Compile, type Static, type TSchema, type Validator } from "./schema.ts";

const compiled = new WeakMap<TSchema, Validator>();

/** Unknown fields are let through. @throws {CairnError} `request.invalid` with the first field that does not fit */
export function check<T extends TSchema>(schema: T, value: unknown): Static<T> {
  let validator = compiled.get(schema);
  if (!validator) {
    validator = Compile(schema) as Validator;
    compiled.set(schema, validator);
  }
  if (validator.Check(value)) return value as Static<T>;
  const first = validator.Errors(value)[0];
  throw new CairnError("request.invalid", {
    field: first?.instancePath || "/",
    problem: (first?.message ?? "does not fit").slice(0, 200),
  });
}
