/**
 * Recorded dialogues of known clients, played against a server by the tests of a face: what is sent in order, and what
 * is expected back by pattern. In a pattern `"<int>"`, `"<number>"`, `"<text>"`, `"<digest>"` stand for any such value;
 * fields that it does not name may be there.
 */
import assert from "node:assert/strict";

export type Step =
  | { readonly send: string | object }
  /** The next message that is not passed over. */
  | { readonly expect: unknown }
  /** Something outside the socket, by a name that the test knows. */
  | { readonly act: string };

export type Transcript = {
  readonly about: string;
  readonly path: string;
  readonly steps: readonly Step[];
};

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  "<int>": Number.isSafeInteger,
  "<number>": (value) => typeof value === "number" && Number.isFinite(value),
  "<text>": (value) => typeof value === "string" && value !== "",
  "<digest>": (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
};

/** @throws AssertionError that says where they differ */
export function assertMatches(actual: unknown, pattern: unknown, at = "message"): void {
  if (typeof pattern === "string" && pattern in KINDS) {
    assert.ok(KINDS[pattern]!(actual), `${at}: ${JSON.stringify(actual)} is no ${pattern}`);
  } else if (pattern !== null && typeof pattern === "object") {
    assert.ok(actual !== null && typeof actual === "object", `${at}: ${JSON.stringify(actual)} is no object`);
    for (const [name, wanted] of Object.entries(pattern)) {
      assertMatches((actual as Record<string, unknown>)[name], wanted, `${at}.${name}`);
    }
  } else assert.deepEqual(actual, pattern, at);
}

/** @param next the next message of the socket, parsed; a bare word as it is */
export async function play(
  { steps }: Transcript,
  socket: { send(text: string): void | Promise<void>; next(): Promise<unknown> },
  acts: Readonly<Record<string, () => Promise<unknown>>> = {},
): Promise<void> {
  for (const [i, step] of steps.entries()) {
    if ("send" in step) await socket.send(typeof step.send === "string" ? step.send : JSON.stringify(step.send));
    else if ("act" in step) {
      const act = acts[step.act];
      assert.ok(act, `step ${i}: nobody knows how to ${step.act}`);
      await act();
    } else assertMatches(await socket.next(), step.expect, `step ${i}`);
  }
}
