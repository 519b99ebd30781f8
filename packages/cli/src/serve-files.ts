/** What `cairn serve` reads before it serves: who may do what, and what makes it https. */
import { readFile } from "node:fs/promises";
import { ROLES, type Role, type TokenGrant } from "@cairn/server";
import { EXIT, Problem } from "./exit.ts";

/** In a header, an address and a list of subprotocols alike, and not to be guessed. */
const TOKEN = /^[\w.~+/=-]{16,}$/;

/**
 * A JSON list of `{"token", "role", "spaces"}`; without `spaces` everywhere. What is wrong is said without showing a token.
 * @throws {Problem}
 */
export async function readTokens(path: string): Promise<TokenGrant[]> {
  const wrong = (what: string) => new Problem(`${path}: ${what}`, EXIT.usage);
  let list: unknown;
  try {
    list = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw error instanceof SyntaxError ? wrong("not JSON") : error;
  }
  if (!Array.isArray(list) || list.length === 0) throw wrong("a list of tokens was expected");
  const seen = new Set<string>();
  return list.map((entry: unknown, i) => {
    const { token, role, spaces } = (entry ?? {}) as Record<string, unknown>;
    if (typeof token !== "string" || !TOKEN.test(token)) {
      throw wrong(`token ${i + 1} has fewer than 16 characters, or others than letters, digits and -._~+/=`);
    }
    if (seen.has(token)) throw wrong(`token ${i + 1} is there twice`);
    seen.add(token);
    if (!isRole(role)) throw wrong(`the role of token ${i + 1} is none of ${ROLES.join(", ")}`);
    if (spaces === undefined) return { token, role };
    if (!Array.isArray(spaces) || !spaces.every((each) => typeof each === "string")) {
      throw wrong(`the spaces of token ${i + 1} are no list of texts`);
    }
    return { token, role, spaces };
  });
}

const isRole = (value: unknown): value is Role => ROLES.some((role) => role === value);

/** @throws {Problem} only one of the two was named */
export async function readTls(
  certPath: string | undefined,
  keyPath: string | undefined,
): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    throw new Problem("https needs both --tls-cert and --tls-key", EXIT.usage);
  }
  return { cert: await readFile(certPath), key: await readFile(keyPath) };
}
