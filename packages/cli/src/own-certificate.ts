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
import { DAY_MS, isAddress, makeAuthority, makeServer, namesItsKey, type Pair, SERVER_DAYS } from "./certificates.ts";

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
  const authority = await kept(join(folder, "authority.pem"), SERVER_DAYS + LEFT_DAYS, now, (at) =>
    makeAuthority(authorityName(), at),
  );
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

const authorityName = () => `Cairn on ${hostname().replace(/[^\w.-]/g, "-")}`;

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
    if (lasts && Date.parse(cert.validFrom) <= now.getTime() && namesItsKey(found.cert) && fits(cert)) return found;
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
