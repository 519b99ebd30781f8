/** Whether a device takes a command, by what it said of its kinds. Its rules are data of strangers: no patterns in them. */
import { createHash } from "node:crypto";
import type { Action, CommandData, CommandKind, DeviceDefinition, MemberRule } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol";

type Members = Readonly<Record<string, unknown>>;

/** Why a member is not as it should be. */
export function problemOfMember(name: string, value: unknown, rule: MemberRule): string | undefined {
  switch (rule.type) {
    case "number":
    case "integer": {
      const { type, minimum, maximum } = rule;
      if (typeof value !== "number" || !Number.isFinite(value)) return `${name} is not a finite number`;
      if (type === "integer" && !Number.isSafeInteger(value)) return `${name} is not a whole number`;
      const low = minimum !== undefined && value < minimum;
      const high = maximum !== undefined && value > maximum;
      if (!low && !high) return undefined;
      if (minimum !== undefined && maximum !== undefined) return `${name} is not within ${minimum} and ${maximum}`;
      return low ? `${name} is below ${minimum}` : `${name} is above ${maximum}`;
    }
    case "string":
      if (typeof value !== "string") return `${name} is not text`;
      if (rule.maxLength !== undefined && value.length > rule.maxLength) {
        return `${name} is longer than ${rule.maxLength}`;
      }
      if (rule.enum && !rule.enum.includes(value)) return `${name} is none of ${rule.enum.join(", ").slice(0, 100)}`;
      return undefined;
    case "boolean":
      return typeof value === "boolean" ? undefined : `${name} is neither true nor false`;
  }
}

/** Why the members that are there are not as they should be; others than those named are not looked at. */
export function problemOfMembers(data: Members, { properties }: Pick<CommandKind, "properties">): string | undefined {
  for (const [name, rule] of Object.entries(properties)) {
    if (!Object.hasOwn(data, name) || data[name] === undefined) continue;
    const problem = problemOfMember(name, data[name], rule);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** @throws {CairnError} `control.bad_command` */
export function checkCommand({ kinds }: Pick<DeviceDefinition, "kinds">, { kind, data = {} }: Action): void {
  const rules = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  const problem = rules
    ? (missing(data, rules) ?? unnamed(data, rules) ?? problemOfMembers(data, rules))
    : "the device has no such kind";
  if (problem !== undefined) throw new CairnError("control.bad_command", { kind: kind.slice(0, 64), problem });
}

/** What a device says of itself holds together. @throws {CairnError} `request.invalid` */
export function checkDefinition(definition: DeviceDefinition): void {
  for (const [name, { properties, required = [] }] of Object.entries(definition.kinds)) {
    const unknown = required.find((member) => !Object.hasOwn(properties, member));
    if (unknown !== undefined) invalid(`/kinds/${name}/required`, `${unknown} is not a property`);
  }
  for (const field of ["safe", "stop"] as const) {
    const action = definition[field];
    if (!action) continue;
    try {
      checkCommand(definition, action);
    } catch (error) {
      invalid(`/${field}`, String(error instanceof CairnError ? error.facts.problem : error));
    }
  }
}

function invalid(field: string, problem: string): never {
  throw new CairnError("request.invalid", { field, problem: problem.slice(0, 200) });
}

function missing(data: Members, { required = [] }: CommandKind): string | undefined {
  const name = required.find((each) => !Object.hasOwn(data, each) || data[each] === undefined);
  return name === undefined ? undefined : `${name} is missing`;
}

function unnamed(data: Members, { properties }: CommandKind): string | undefined {
  const name = Object.keys(data).find((each) => !Object.hasOwn(properties, each));
  return name === undefined ? undefined : `${name.slice(0, 32)} is not a member of it`;
}

/** Equal for equal commands, however their members are ordered. */
export function commandDigest(kind: string, data: CommandData): string {
  const members = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([kind, members]))
    .digest("hex")
    .slice(0, 16);
}
