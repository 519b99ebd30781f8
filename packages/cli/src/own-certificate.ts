/**
 * https in a local network, where no authority vouches for anybody: this server's own authority, kept with its data, vouches
 * for its names and addresses. A phone may install the authority once, and then believes every certificate that follows,
 * also after the addresses have changed.
 */
import { X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { lanAddresses } from "@cairn/server";
import { generate } from "selfsigned";

export type OwnCertificate = {
  /** PEM: the server's, then the authority's. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** PEM of the authority, for those who want to believe it. */
  readonly authority: string;
  /** SHA-256 of the server's, in hex with colons. */
  readonly fingerprint: string;
};

const DAY_MS = 86_400_000;
/** Browsers take none that lasts longer than this, whoever made it. */
const SERVER_DAYS = 397;
const AUTHORITY_DAYS = 3650;
/** Renewed when less than this is left. */
const LEFT_DAYS = 30;

/** What the certificate has to be for. */
export function ownNames(addresses: readonly string[] = lanAddresses()): string[] {
  const name = hostname().toLowerCase();
  // A host's short name is `.local` to phones; names that DNS cannot have are left out.
  const named = /^[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d-]+)*$/.test(name) ? [name] : [];
  const local = named.flatMap((each) => (each.includes(".") ? [] : [`${each}.local`]));
  return [...new Set(["localhost", ...named, ...local, "127.0.0.1", "::1", ...addresses])];
}

/** Made when there is none, when it ends soon, and when a name is missing in it; else what was kept. */
export async function ownCertificate(dataDir: string, names = ownNames(), now = new Date()): Promise<OwnCertificate> {
  const folder = join(dataDir, "tls");
  const authority = await kept(join(folder, "authority.pem"), SERVER_DAYS + LEFT_DAYS, now, makeAuthority);
  const fits = (cert: X509Certificate) =>
    cert.verify(new X509Certificate(authority.cert).publicKey) && names.every((name) => isFor(cert, name));
  const own = await kept(join(folder, "server.pem"), LEFT_DAYS, now, (at) => makeServer(authority, names, at), fits);
  return {
    cert: own.cert + authority.cert,
    key: own.key,
    authority: authority.cert,
    fingerprint: new X509Certificate(own.cert).fingerprint256,
  };
}

type Pair = { readonly cert: string; readonly key: string };

const isAddress = (name: string) => /^[\d.]+$|:/.test(name);
const isFor = (cert: X509Certificate, name: string) =>
  (isAddress(name) ? cert.checkIP(name) : cert.checkHost(name)) !== undefined;

async function kept(
  path: string,
  leftDays: number,
  now: Date,
  make: (now: Date) => Promise<Pair>,
  fits: (cert: X509Certificate) => boolean = () => true,
): Promise<Pair> {
  const found = await readPair(path);
  if (found) {
    const cert = new X509Certificate(found.cert);
    const lasts = Date.parse(cert.validTo) - now.getTime() >= leftDays * DAY_MS;
    if (lasts && Date.parse(cert.validFrom) <= now.getTime() && fits(cert)) return found;
  }
  const made = await make(now);
  await writeSecret(path, made.key + made.cert);
  return made;
}

/** `undefined`: none there, or cut short. */
async function readPair(path: string): Promise<Pair | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  const [key] = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n/.exec(text) ?? [];
  const [cert] = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/.exec(text) ?? [];
  return key && cert ? { key, cert } : undefined;
}

/** Nobody else can read it, not even for a moment, and it is there whole or not at all. */
async function writeSecret(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.draft`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** P-256: every phone knows it, and it is made at once. */
const KIND = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

async function makeAuthority(now: Date): Promise<Pair> {
  return pairOf(
    await generate([{ name: "commonName", value: `Cairn on ${hostname().replace(/[^\w.-]/g, "-")}` }], {
      ...KIND,
      ...lasting(now, AUTHORITY_DAYS),
      extensions: [
        { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
        { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      ],
    }),
  );
}

async function makeServer(authority: Pair, names: readonly string[], now: Date): Promise<Pair> {
  return pairOf(
    await generate([{ name: "commonName", value: "Cairn" }], {
      ...KIND,
      ...lasting(now, SERVER_DAYS),
      ca: authority,
      extensions: [
        { name: "basicConstraints", cA: false, critical: true },
        { name: "keyUsage", digitalSignature: true, critical: true },
        { name: "extKeyUsage", serverAuth: true },
        {
          name: "subjectAltName",
          altNames: names.map((name) => (isAddress(name) ? { type: 7, ip: name } : { type: 2, value: name })),
        },
      ],
    }),
  );
}

/** From a day ago: a phone's clock may be behind. */
const lasting = (now: Date, days: number) => {
  const notBeforeDate = new Date(now.getTime() - DAY_MS);
  return { notBeforeDate, notAfterDate: new Date(notBeforeDate.getTime() + days * DAY_MS) };
};

/** With an end of line, so that they can stand one behind the other. */
const pairOf = ({ cert, private: key }: { cert: string; private: string }): Pair => ({
  cert: `${cert.trim()}\n`,
  key: `${key.trim()}\n`,
});
