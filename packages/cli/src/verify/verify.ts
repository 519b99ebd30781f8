/** `cairn verify`: does a running server keep what it promises its viewers? In a space of its own, deleted afterwards. */
import { randomUUID } from "node:crypto";
import { CairnApi } from "@cairn/client";
import { EXIT, interruption } from "../exit.ts";
import { apiOptions, reach } from "../server-url.ts";
import { type Finding, runChecks } from "./checks.ts";

const PATIENCE_MS = 60_000;

type VerifyOptions = { readonly server: string; readonly points: number; readonly json?: boolean };

export async function verify({ server, points, json }: VerifyOptions): Promise<number> {
  const options = apiOptions(server);
  const api = new CairnApi(options);
  const { signal, release } = interruption();
  const space = `verify-${randomUUID()}`;
  await reach(server, () => api.createSpace({ id: space, title: "cairn verify" }, { signal }));
  const onStep = (text: string) => {
    if (process.stderr.isTTY && !json) process.stderr.write(`\r\x1b[2K${text && `${text} …`}`);
  };
  try {
    const findings = await runChecks({
      api,
      space,
      token: options.token,
      points,
      patienceMs: PATIENCE_MS,
      signal,
      onStep,
    });
    onStep("");
    process.stdout.write(json ? `${JSON.stringify({ server, points, findings })}\n` : table(findings));
    return findings.every(({ kept }) => kept) ? EXIT.ok : EXIT.failed;
  } finally {
    release();
    await api.deleteSpace(space).catch(() => {});
  }
}

function table(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ promise }) => promise.length));
  return findings
    .map(({ promise, kept, measured }) => `${kept ? "kept  " : "BROKEN"}  ${promise.padEnd(width)}  ${measured}\n`)
    .join("");
}
