/** The certificate that the server makes for itself: for whom, for how long, and who may read its key. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import * as x509 from "@peculiar/x509";
import { ownCertificate, ownNames } from "./own-certificate.ts";

const NOW = new Date("2026-05-01T12:00:00Z");
const daysLater = (days: number) => new Date(NOW.getTime() + days * 86_400_000);

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "cairn-tls-"));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

test("CAP-9 its own authority vouches for its names and addresses, and nobody else reads the keys", async (t) => {
  const dir = await folder(t);
  const names = ownNames(["192.168.7.9", "2001:db8::7"]);
  const own = await ownCertificate(dir, names, NOW);
  const [cert, authority] = [new X509Certificate(own.cert), new X509Certificate(own.authority)];
  assert.ok(cert.verify(authority.publicKey));
  assert.ok(authority.verify(authority.publicKey));
  assert.deepEqual([authority.ca, cert.ca], [true, false]);
  assert.equal(own.cert.split("BEGIN CERTIFICATE").length, 3, "the chain is whole");
  assert.equal(own.fingerprint, cert.fingerprint256);
  for (const name of ["localhost", "127.0.0.1", "::1", "192.168.7.9", "2001:db8::7"]) {
    assert.ok(names.includes(name), name);
  }
  for (const name of names) assert.ok(cert.checkHost(name) ?? cert.checkIP(name), name);
  // What browsers ask of one.
  const lastsMs = Date.parse(cert.validTo) - Date.parse(cert.validFrom);
  assert.ok(lastsMs <= 398 * 86_400_000);
  assert.equal(cert.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
  for (const name of await readdir(join(dir, "tls"))) {
    const { mode } = await stat(join(dir, "tls", name));
    assert.equal(mode & 0o777, 0o600, name);
  }
});

test("CAP-9 each says what it is for, and names its own key and its authority's", async (t) => {
  const own = await ownCertificate(await folder(t), ownNames(["192.168.7.9"]), NOW);
  const [cert, authority] = [new X509Certificate(own.cert), new X509Certificate(own.authority)];
  assert.ok(cert.checkIssued(authority));
  assert.deepEqual(cert.keyUsage, ["1.3.6.1.5.5.7.3.1"], "a server, and nothing else");
  assert.equal(authority.keyUsage, undefined);
  assert.ok(Date.parse(cert.validTo) - Date.parse(cert.validFrom) <= 397 * 86_400_000);

  const [read, above] = [new x509.X509Certificate(own.cert), new x509.X509Certificate(own.authority)];
  const keyId = (of: x509.X509Certificate) => of.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  const issuerId = (of: x509.X509Certificate) => of.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  assert.match(keyId(above) ?? "", /^[0-9a-f]{40}$/);
  assert.equal(issuerId(above), keyId(above));
  assert.equal(issuerId(read), keyId(above));
  assert.notEqual(keyId(read), keyId(above));
  const critical = (of: x509.X509Certificate) =>
    [...of.extensions].filter((each) => each.critical).map(({ type }) => type);
  const CONSTRAINTS_AND_USAGE = ["2.5.29.19", "2.5.29.15"];
  assert.deepEqual(critical(read), CONSTRAINTS_AND_USAGE);
  assert.deepEqual(critical(above), CONSTRAINTS_AND_USAGE);
  assert.equal(above.getExtension(x509.BasicConstraintsExtension)?.pathLength, 0);
});

test("CAP-9 a strict reader takes it, for its names and addresses and as a server only", async (t) => {
  if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("SKIPPED: openssl is not installed");
  const dir = await folder(t);
  await ownCertificate(dir, ownNames(["192.168.7.9", "2001:db8::7"]), NOW);
  const [authority, server] = ["authority.pem", "server.pem"].map((name) => join(dir, "tls", name));
  const at = ["-attime", String(NOW.getTime() / 1000)];
  const verify = (...words: string[]) =>
    execFileSync("openssl", ["verify", "-x509_strict", ...at, "-CAfile", authority!, ...words, server!], {
      stdio: "pipe",
    });
  const isServer = ["-purpose", "sslserver"];
  verify(...isServer, "-verify_hostname", "localhost");
  for (const address of ["127.0.0.1", "::1", "192.168.7.9", "2001:db8::7"]) verify(...isServer, "-verify_ip", address);
  assert.throws(() => verify(...isServer, "-verify_ip", "192.168.7.10"), /mismatch/);
  assert.throws(() => verify("-purpose", "sslclient"), /purpose/);
});

test("CAP-9 it is kept, and made anew before it ends, for a new address, and when it is damaged", async (t) => {
  const dir = await folder(t);
  const names = ownNames(["192.168.7.9"]);
  const first = await ownCertificate(dir, names, NOW);
  assert.deepEqual(await ownCertificate(dir, names, daysLater(300)), first);
  assert.deepEqual(await ownCertificate(dir, ["localhost"], daysLater(300)), first, "one name less is no reason");

  const moved = await ownCertificate(dir, ownNames(["10.1.2.3"]), NOW);
  assert.ok(new X509Certificate(moved.cert).checkIP("10.1.2.3"));
  assert.equal(moved.authority, first.authority, "a phone that believes the authority believes this one too");

  const late = await ownCertificate(dir, names, daysLater(380));
  assert.notEqual(late.fingerprint, moved.fingerprint);
  assert.ok(Date.parse(new X509Certificate(late.cert).validTo) > daysLater(700).getTime());
  assert.equal(late.authority, first.authority);

  const decade = await ownCertificate(dir, names, daysLater(3400));
  assert.notEqual(decade.authority, first.authority, "an authority outlasts what it vouches for");
  assert.ok(new X509Certificate(decade.cert).verify(new X509Certificate(decade.authority).publicKey));

  const path = join(dir, "tls", "server.pem");
  await writeFile(path, (await readFile(path, "utf8")).slice(0, 300));
  const again = await ownCertificate(dir, names, daysLater(3400));
  assert.notEqual(again.fingerprint, decade.fingerprint);
  assert.deepEqual(await ownCertificate(dir, names, daysLater(3400)), again);
});

test("CAP-9 an authority that does not name its key, as strict readers want it, is replaced", async (t) => {
  const dir = await folder(t);
  const keys = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const notAfter = daysLater(3650);
  const params = { name: "CN=Cairn", keys, notBefore: NOW, notAfter, extensions: [] };
  const bare = await x509.X509CertificateGenerator.createSelfSigned(params);
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" });
  await mkdir(join(dir, "tls"));
  await writeFile(join(dir, "tls", "authority.pem"), `${key}${bare.toString("pem")}\n`);
  const own = await ownCertificate(dir, ["localhost"], NOW);
  assert.notEqual(
    new X509Certificate(own.authority).fingerprint256,
    new X509Certificate(bare.toString()).fingerprint256,
  );
  assert.deepEqual(await ownCertificate(dir, ["localhost"], NOW), own);
});
