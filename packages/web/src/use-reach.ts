/** Where the server is reached from elsewhere in the network, and whether it lets this browser in at all. */
import type { CairnApi } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { useEffect, useState } from "react";

export type Reach = {
  /** Addresses in the local network, the likeliest first. */
  readonly urls: readonly string[];
  /** By https too, which a page needs for a camera. */
  readonly secure: boolean;
  /** SHA-256 of the certificate, as browsers show it. */
  readonly fingerprint?: string;
  /** `./certificate` is what a phone may install. */
  readonly installable: boolean;
};

/** `asksToken`: nothing is to be had without one, or with this one; not there until the server has said so. */
export function useReach(api: CairnApi): { reach?: Reach; asksToken?: boolean } {
  const [reach, setReach] = useState<Reach>();
  const [asksToken, setAsksToken] = useState<boolean>();
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => setReach((await (await api.call("GET", "/v1/reach", stop)).json()) as Reach);
    const refused = (error: unknown) => error instanceof CairnError && error.code === "auth.required";
    void ask().then(
      () => setAsksToken(false),
      (error: unknown) => setAsksToken(refused(error)),
    );
    return () => stop.abort();
  }, [api]);
  return { ...(reach && { reach }), ...(asksToken !== undefined && { asksToken }) };
}
