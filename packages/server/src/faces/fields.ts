/**
 * Parameters of a face's request against their schema, with what is missing or wrong said field by field, in the shape
 * that FastAPI made common: `{type, loc, msg, input}` (GEN-33).
 */
import { type Static, type TObject, type TSchema, Value } from "@cairn/protocol/schema";
import { type FieldProblem, Refusal } from "./refusal.ts";

export type Place = "body" | "query" | "path";

/** What of a wrong value is shown again (GEN-19). */
const SHOWN = 64;

/**
 * Fields that a schema knows, checked; unknown ones are left out, defaults filled in.
 * @param text values are texts, as in a query or a form: `"5"` is a number
 * @throws {Refusal} 422
 */
export function readFields<S extends TObject>(
  schema: S,
  given: unknown,
  place: Place,
  { text = place !== "body" } = {},
): Static<S> {
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    throw new Refusal(422, [
      { type: "model_type", loc: [place], msg: "Input should be an object", input: shown(given) },
    ]);
  }
  const values: Record<string, unknown> = {};
  const problems: FieldProblem[] = [];
  for (const [name, wanted] of Object.entries<TSchema>(schema.properties)) {
    const value: unknown = Reflect.get(given, name);
    if (value === undefined) {
      if ("default" in wanted) values[name] = structuredClone(wanted.default);
      else if (schema.required?.includes(name)) {
        problems.push({ type: "missing", loc: [place, name], msg: "Field required", input: null });
      }
      continue;
    }
    const converted = fromText(wanted, value, text);
    if (Value.Check(wanted, converted)) values[name] = converted;
    else problems.push({ loc: [place, name], ...problemOf(wanted, converted), input: shown(value) });
  }
  if (problems.length > 0) throw new Refusal(422, problems);
  return values as Static<S>;
}

/** What was meant: booleans are also `"true"`, `"1"` or 1 wherever they stand, numbers are texts only where all is text. */
function fromText(wanted: TSchema, value: unknown, isText: boolean): unknown {
  const type = Reflect.get(wanted, "type") as unknown;
  if (type === "boolean" && (typeof value === "string" || typeof value === "number")) {
    if (/^(true|1|yes|on)$/i.test(String(value))) return true;
    if (/^(false|0|no|off)$/i.test(String(value))) return false;
  }
  if (isText && typeof value === "string" && (type === "integer" || type === "number")) {
    const trimmed = value.trim();
    const number = Number(trimmed);
    return trimmed !== "" && Number.isFinite(number) ? number : value;
  }
  return value;
}

function problemOf(wanted: TSchema, value: unknown): { type: string; msg: string } {
  const { type, minimum, maximum, minLength, maxLength, pattern } = wanted as Record<string, unknown>;
  const wantsNumber = type === "integer" || type === "number";
  if (wantsNumber && typeof value === "number") {
    if (typeof minimum === "number" && value < minimum) {
      return { type: "greater_than_equal", msg: `Input should be greater than or equal to ${minimum}` };
    }
    if (typeof maximum === "number" && value > maximum) {
      return { type: "less_than_equal", msg: `Input should be less than or equal to ${maximum}` };
    }
    return { type: "int_from_float", msg: "Input should be a valid integer" };
  }
  if (type === "integer") return { type: "int_parsing", msg: "Input should be a valid integer" };
  if (type === "number") return { type: "float_parsing", msg: "Input should be a valid number" };
  if (type === "boolean") return { type: "bool_parsing", msg: "Input should be a valid boolean" };
  if (type === "string" && typeof value === "string") {
    const { length } = value;
    if (typeof minLength === "number" && length < minLength) {
      return { type: "string_too_short", msg: `String should have at least ${minLength} characters` };
    }
    if (typeof maxLength === "number" && length > maxLength) {
      return { type: "string_too_long", msg: `String should have at most ${maxLength} characters` };
    }
    if (pattern !== undefined) {
      return { type: "string_pattern_mismatch", msg: `String should match pattern '${pattern}'` };
    }
  }
  if (type === "string") return { type: "string_type", msg: "Input should be a valid string" };
  if (type === "array") return { type: "list_type", msg: "Input should be a valid list" };
  if (type === "object") return { type: "dict_type", msg: "Input should be a valid dictionary" };
  const allowed = allowedValues(wanted);
  if (allowed)
    return { type: "literal_error", msg: `Input should be ${allowed.map((each) => `'${each}'`).join(" or ")}` };
  return { type: "value_error", msg: "Invalid value" };
}

/** The constants of a union of them. */
function allowedValues({ anyOf }: TSchema & { anyOf?: readonly { const?: unknown }[] }): unknown[] | undefined {
  const values = anyOf?.map((each) => each.const);
  return values?.every((each) => each !== undefined) ? values : undefined;
}

function shown(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, SHOWN);
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "boolean") return value;
  return JSON.stringify(value).slice(0, SHOWN);
}
