/** Where others in the network reach this server, and by which certificate they know it: what a phone has to be told. */
import { X509Certificate } from "node:crypto";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import { Type } from "@cairn/protocol/schema";
import type { FastifyInstance } from "fastify";

/** Networks of programs on this machine, where no phone is. */
const INNER = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|podman|lxc|lxd)/;
const ANYWHERE = new Set(["0.0.0.0", "::"]);

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** This machine's addresses that others can call, the likeliest first: IPv4 before IPv6, and inner networks left out. */
export function lanAddresses(interfaces: Interfaces = networkInterfaces()): string[] {
  const found = Object.entries(interfaces).flatMap(([name, list]) =>
    INNER.test(name) ? [] : (list ?? []).filter(({ internal, address }) => !internal && !isLinkLocal(address)),
  );
  return [...found.filter(({ family }) => family === "IPv4"), ...found.filter(({ family }) => family === "IPv6")].map(
    ({ address }) => address,
  );
}

/** Of one cable only, or of a machine that got no address. */
const isLinkLocal = (address: string) => /^(fe[89ab].:|169\.254\.)/i.test(address);

/** @param host that the server listens at */
export function reachableAt(host: string): string[] {
  if (ANYWHERE.has(host)) return lanAddresses().filter((address) => host === "::" || !address.includes(":"));
  return /^(127\.|::1$|localhost$)/.test(host) ? [] : [host];
}

export function urlOf(scheme: "http" | "https", address: string, port: number): string {
  return `${scheme}://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

export type Reach = {
  readonly host: string;
  port(): number;
  /** PEM of what a phone may install to believe this server. */
  readonly authority?: string;
  /** PEM in use just now. */
  certificate?(): string | Buffer;
};

const Answer = Type.Object({
  urls: Type.Array(Type.String(), { description: "Addresses in the local network, the likeliest first." }),
  secure: Type.Boolean({ description: "By https too, which a page needs for a camera." }),
  fingerprint: Type.Optional(Type.String({ description: "SHA-256 of the certificate, as browsers show it." })),
  installable: Type.Boolean({ description: "GET /certificate has the authority behind it." }),
});

/** `GET /v1/reach`. */
export function reachRoute(app: FastifyInstance, { host, port, authority, certificate }: Reach): void {
  const schema = { operationId: "reach", response: { 200: Answer } };
  app.get("/v1/reach", { config: { place: "any" }, schema }, async (_request, reply) => {
    reply.header("cache-control", "no-store");
    const pem = certificate?.();
    return {
      urls: reachableAt(host).map((address) => urlOf(pem ? "https" : "http", address, port())),
      secure: pem !== undefined,
      ...(pem && { fingerprint: new X509Certificate(pem).fingerprint256 }),
      installable: authority !== undefined,
    };
  });
}

/** `GET /certificate`, also without a token: what a phone installs once, and then believes this server. */
export async function certificateRoute(app: FastifyInstance, authority: string): Promise<void> {
  const { raw } = new X509Certificate(authority);
  app.get("/certificate", { schema: { hide: true } }, async (_request, reply) =>
    reply
      .header("cache-control", "no-cache")
      .header("content-disposition", 'attachment; filename="cairn.crt"')
      .type("application/x-x509-ca-cert")
      .send(raw),
  );
}
