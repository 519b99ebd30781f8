/** Whose `X-Forwarded-…` is believed: addresses and networks that were named, and nobody else (GEN-37). */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

export type Trusted = (address: string) => boolean;

/** @param names addresses, or networks as `10.0.0.0/8`. @throws {RangeError} another text */
export function trustedProxies(names: readonly string[]): Trusted {
  const list = new BlockList();
  for (const name of names) {
    const [address = "", bits] = name.split("/");
    const version = isIP(address);
    if (version === 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) {
      throw new RangeError(`not an address or a network: ${name}`);
    }
    const family = version === 4 ? "ipv4" : "ipv6";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    // As a listener on all addresses sees those of IPv4.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? "ipv4" : "ipv6");
  };
}

/** Who really asks: the last in the chain that no trusted proxy is. */
export function addressOf({ headers, socket }: IncomingMessage, trusted: Trusted): string {
  const named = String(headers["x-forwarded-for"] ?? "")
    .split(",")
    .map((each) => each.trim())
    .filter((each) => isIP(each) !== 0);
  let address = socket.remoteAddress ?? "";
  while (trusted(address) && named.length > 0) address = named.pop()!;
  return address;
}
