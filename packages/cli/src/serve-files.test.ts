/** `cairn serve` with tokens and a certificate: who may do what is in a file, and everything is https and wss. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { ownCertificate } from "./own-certificate.ts";
import { workplace } from "./test/workplace.ts";

const { folder, start, cairn, firstLine } = workplace();
const path = (name: string) => join(folder, name);
const TOKENS = [
  { token: "a-token-to-look-with", role: "view" },
  { token: "a-token-to-steer-with", role: "operate", spaces: ["garden"] },
];

function ask(url: string, ca: string, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    request(url, { ca, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

describe("cairn serve", () => {
  test("GEN-35 GEN-37 --tokens and --tls-cert with --tls-key: https and wss, to those that the file names", async () => {
    const { cert, key, authority } = await ownCertificate(path("another-data"));
    for (const [name, text] of Object.entries({ cert, key, tokens: JSON.stringify(TOKENS) })) {
      writeFileSync(path(name), text);
    }
    const words = ["--tls-cert", path("cert"), "--tls-key", path("key"), "--tokens", path("tokens")];
    const child = start(["serve", "--port", "0", "--data", path("data"), ...words]);
    const [, url] = /(https:\/\/127\.0\.0\.1:\d+)/.exec(await firstLine(child)) ?? [];
    assert.ok(url);
    assert.equal(await ask(`${url}/v1/spaces`, authority), 401);
    assert.equal(await ask(`${url}/v1/spaces`, authority, TOKENS[0]!.token), 200);
    assert.equal(await ask(`${url}/v1/spaces/attic`, authority, TOKENS[1]!.token), 403);
    await assert.rejects(ask(url, "")); // a certificate that nobody vouched for
    const closes = async (token: string) => {
      const ws = new WebSocket(`${url.replace("https", "wss")}/ws/attic`, ["cairn.bearer", token], { ca: authority });
      const [event] = (await Promise.race([once(ws, "message"), once(ws, "close")])) as [Buffer | number];
      ws.close();
      return typeof event === "number" ? event : JSON.parse(String(event)).type;
    };
    assert.equal(await closes(TOKENS[0]!.token), "initial_state_starting");
    assert.equal(await closes(TOKENS[1]!.token), 4003);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  test("what is wrong with these files costs one line, and shows no token", async () => {
    for (const [text, said] of [
      ["{", /not JSON/],
      ["[]", /a list of tokens/],
      ['[{"token":"short","role":"view"}]', /token 1 has fewer than 16/],
      ['[{"token":"a-token-to-look-with","role":"boss"}]', /role of token 1/],
      ['[{"token":"a-token-to-look-with","role":"view","spaces":"garden"}]', /spaces of token 1/],
    ] as const) {
      writeFileSync(path("wrong"), text);
      const { code, err } = await cairn(["serve", "--port", "0", "--data", path("data2"), "--tokens", path("wrong")]);
      assert.equal(code, 2, text);
      assert.match(err, said);
      assert.match(err, /^cairn: [^\n]+\n$/);
      assert.doesNotMatch(err, /a-token-to/);
    }
    const half = await cairn(["serve", "--data", path("data2"), "--tls-cert", path("cert")]);
    assert.equal(half.code, 2);
    assert.match(half.err, /both --tls-cert and --tls-key/);
  });
});
