/**
 * How an authority and what it vouches for are made (RFC 5280, and what browsers and phones ask beyond it): each certificate
 * says what its key may do, and names its own key and the one that signed it, without which strict readers take none.
 */
import { createPrivateKey, createPublicKey, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** PEM, each with an end of line, so that they can stand one behind the other. */
export type Pair = { readonly cert: string; readonly key: string };

export const DAY_MS = 86_400_000;
/** Browsers and phones take none of a server that lasts longer than this, whoever made it. */
export const SERVER_DAYS = 397;
const AUTHORITY_DAYS = 3650;

/** P-256: every phone knows it, and it is made at once. */
const KIND = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name);

/** An authority that vouches for servers, and for no other authority. */
export async function makeAuthority(name: string, now: Date): Promise<Pair> {
  const keys = await makeKeys();
  const subject = [{ CN: [name] }];
  const issuer = { name: subject, privateKey: keys.privateKey, publicKey: keys.publicKey };
  return signed(issuer, subject, keys, lasting(now, AUTHORITY_DAYS), [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ]);
}

/** For a server of these names and addresses. */
export async function makeServer(authority: Pair, names: readonly string[], now: Date): Promise<Pair> {
  const spki = createPublicKey(authority.cert).export({ type: "spki", format: "der" });
  const pkcs8 = createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" });
  const issuer = {
    name: new X509Certificate(authority.cert).subjectName.toJSON(),
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, KIND, false, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, KIND, true, ["verify"]),
  };
  return signed(issuer, [{ CN: ["Cairn"] }], await makeKeys(), lasting(now, SERVER_DAYS), [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isAddress(value) ? ("ip" as const) : ("dns" as const), value })),
    ),
  ]);
}

/** Whether a kept one says which key it is about, as those made here do. */
export const namesItsKey = (cert: string): boolean =>
  new X509Certificate(cert).getExtension(SubjectKeyIdentifierExtension) !== null;

type Name = { CN?: string[] }[];

type Issuer = {
  readonly name: Name;
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
};

async function signed(
  issuer: Issuer,
  subject: Name,
  keys: webcrypto.CryptoKeyPair,
  times: { notBefore: Date; notAfter: Date },
  extensions: readonly Extension[],
): Promise<Pair> {
  const cert = await X509CertificateGenerator.create({
    ...times,
    subject,
    issuer: issuer.name,
    publicKey: keys.publicKey,
    signingKey: issuer.privateKey,
    signingAlgorithm: KIND,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  return { cert: `${cert.toString("pem").trim()}\n`, key: String(key.export({ type: "pkcs8", format: "pem" })) };
}

const makeKeys = () => webcrypto.subtle.generateKey(KIND, true, ["sign", "verify"]);

/** From a day ago: a phone's clock may be behind. */
function lasting(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  const notBefore = new Date(now.getTime() - DAY_MS);
  return { notBefore, notAfter: new Date(notBefore.getTime() + days * DAY_MS) };
}
