/** Addresses of the page for whoever takes photos, as another machine opens them. Pure. */
import { captureQuery } from "../capture/capture-route.ts";
import type { Reach } from "../use-reach.ts";

const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;

/** Where a phone finds this server, the likeliest first. @param page address of the folder that the page came from */
export function serversForPhones(page: string, reach: Reach | undefined): readonly string[] {
  const { protocol, hostname } = new URL(page);
  const here = page.replace(/\/$/, "");
  const urls = reach?.urls ?? [];
  // Whoever is here by a name or an address that is no loopback is where a phone can be too.
  if (LOOPBACK.test(hostname)) return urls;
  const own = reach?.secure && protocol === "http:" ? here.replace("http:", "https:") : here;
  return [own, ...urls.filter((url) => url !== own)];
}

/** A token goes behind the `#`, which browsers send to nobody. */
export function phoneUrl(server: string, space: string | undefined, token: string | undefined): string {
  const query = space === undefined ? "" : captureQuery(space);
  const fragment = token === undefined ? "" : `#${new URLSearchParams({ token }).toString()}`;
  return `${server}/capture${query}${fragment}`;
}
