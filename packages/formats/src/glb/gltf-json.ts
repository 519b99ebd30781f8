/** Parts of JSON that nobody trusts: they are what they should be, or the file is refused. */
import { CairnError } from "@cairn/protocol/errors";

export type Json = Readonly<Record<string, unknown>>;

export function invalid(problem: string, cause?: unknown): CairnError {
  return new CairnError("import.invalid", { format: "glb", problem }, cause);
}

export function asObject(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${what} is missing`);
  return value as Json;
}

export function asList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} is no list`);
  return value;
}

export function asCount(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || Number(value) < 0) throw invalid(`${what} is no count`);
  return Number(value);
}

export function numbers(value: unknown, length: number, what: string): number[] {
  const list = asList(value, what);
  if (list.length !== length || !list.every(Number.isFinite)) throw invalid(`${what} is not ${length} numbers`);
  return list as number[];
}
