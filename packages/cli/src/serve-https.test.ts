/** `cairn serve --https`: what a phone in the network finds, and what is printed for whoever holds it. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { lanAddresses } from "@cairn/server";
import { captureUrl, phoneNotes, phoneToken, terminalCode } from "./phone-notes.ts";
import { workplace } from "./test/workplace.ts";

const { folder, start, firstLine } = workplace();
const path = (name: string) => join(folder, name);

/** What stderr has said once `last` is in it. */
async function said(child: ChildProcess, last: RegExp): Promise<string> {
  let text = "";
  for await (const piece of child.stderr!) {
    text += String(piece);
    if (last.test(text)) return text;
  }
  throw new Error(`ended without ${last}: ${text}`);
}

function get(url: string, ca: string): Promise<{ status: number; body: string; fingerprint: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false }, (response) => {
      let body = "";
      const { fingerprint256 } = (response.socket as import("node:tls").TLSSocket).getPeerX509Certificate()!;
      response.setEncoding("utf8").on("data", (piece: string) => {
        body += piece;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, fingerprint: fingerprint256 }));
    })
      .on("error", reject)
      .end();
  });
}

const FINGERPRINT = /^ {2}((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\n/m;

test("CAP-9 CAP-10 --https: by https and by http at one port, with its fingerprint and the way for a phone printed", async () => {
  const child = start(["serve", "--https", "--port", "0", "--data", path("data")]);
  const [line, notes] = await Promise.all([firstLine(child), said(child, FINGERPRINT)]);
  const [, url] = /ready at (https:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
  assert.ok(url, line);
  const { port } = new URL(url);
  const authority = /-----BEGIN CERT[\s\S]+/.exec(readFileSync(path("data/tls/authority.pem"), "utf8"))?.[0] ?? "";

  const reach = await get(`${url}/v1/reach`, authority);
  const found = JSON.parse(reach.body) as { urls: string[]; secure: boolean; fingerprint: string };
  assert.equal(found.secure, true);
  assert.equal(found.fingerprint, reach.fingerprint);
  assert.equal(FINGERPRINT.exec(notes)?.[1], reach.fingerprint);
  for (const each of found.urls) {
    assert.ok(notes.includes(`${each}/capture`), each);
    assert.equal((await get(`${each}/health`, authority)).status, 200, "the certificate is for this address");
  }
  const some = lanAddresses().filter((address) => !address.includes(":"));
  assert.deepEqual(
    found.urls,
    some.map((address) => `https://${address}:${port}`),
  );
  assert.doesNotMatch(notes, /█/, "a log is no place for a code");

  const plain = await fetch(`http://127.0.0.1:${port}/v1/reach`);
  assert.deepEqual(await plain.json(), found);
  const installed = await fetch(`http://127.0.0.1:${port}/certificate`);
  assert.equal(installed.headers.get("content-type"), "application/x-x509-ca-cert");
  const der = Buffer.from(await installed.arrayBuffer()).toString("base64");
  assert.equal(der, authority.replace(/-----.*-----|\n/g, ""));
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("CAP-10 --https takes the operator's certificate where there is one, and stays where --host says", async () => {
  // That of the test before is as good as any.
  for (const name of ["cert.pem", "key.pem"]) writeFileSync(path(name), readFileSync(path("data/tls/server.pem")));
  const files = ["--tls-cert", path("cert.pem"), "--tls-key", path("key.pem")];
  const child = start(["serve", "--https", "--host", "127.0.0.1", "--port", "0", "--data", path("data3"), ...files]);
  const [line, notes] = await Promise.all([firstLine(child), said(child, FINGERPRINT)]);
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(line) ?? [];
  const plain = await fetch(`http://127.0.0.1:${port}/v1/reach`);
  const reach = (await plain.json()) as { urls: string[]; fingerprint: string; installable: boolean };
  assert.deepEqual(reach.urls, []);
  assert.equal(reach.installable, false);
  assert.equal(FINGERPRINT.exec(notes)?.[1], reach.fingerprint);
  assert.match(notes, /no phone can call/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/certificate`)).status, 404);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("CAP-10 a server goes on when nobody reads what it says beside its address", async () => {
  const child = start(["serve", "--https", "--host", "127.0.0.1", "--port", "0", "--data", path("data4")]);
  child.stderr!.destroy();
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(await firstLine(child)) ?? [];
  for (let i = 0; i < 3; i++) assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("CAP-11 the code holds the address and a token that is shown nowhere else", () => {
  const all = [
    { token: "a-token-for-one-space", role: "operate", spaces: ["attic"] },
    { token: "a-token-to-look-with", role: "view" },
    { token: "a-token-to-send-with", role: "contribute" },
    { token: "a-token-to-steer+with", role: "operate" },
  ] as const;
  assert.equal(phoneToken(all, "the-token-for-all")?.token, "a-token-to-steer+with");
  assert.equal(phoneToken(all.slice(0, 3), "the-token-for-all")?.role, "admin");
  assert.equal(phoneToken(all.slice(0, 3), undefined)?.token, "a-token-to-send-with");
  assert.equal(phoneToken(all.slice(0, 2), undefined), undefined);
  const url = captureUrl("https://10.0.0.2:8000", "a-token-to-steer+with");
  assert.equal(new URLSearchParams(new URL(url).hash.slice(1)).get("token"), "a-token-to-steer+with");

  const notes = phoneNotes({
    urls: ["https://10.0.0.2:8000", "https://10.1.0.2:8000"],
    fingerprint: "AB:CD",
    own: true,
    token: all[3],
    code: true,
  });
  assert.ok(notes.includes(terminalCode(url)));
  assert.doesNotMatch(notes, /a-token-to/);
  assert.match(notes, /or: https:\/\/10\.1\.0\.2:8000\/capture/);
  // Square, two rows of it in each line, with a quiet zone around.
  const rows = terminalCode(url)
    .trimEnd()
    .split("\n")
    .map((line) => line.slice("\x1b[30;107m".length, -"\x1b[0m".length));
  const width = rows[0]?.length ?? 0;
  assert.ok(rows.every((row) => row.length === width && /^ {2}.* {2}$/.test(row)));
  assert.equal(rows.length, Math.ceil(width / 2));
});
