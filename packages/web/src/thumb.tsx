/** A small picture of a photo: the first of several addresses that has one; none until the server answers again. */
import { type JSX, useState } from "react";

export function Thumb({ addresses, live }: { addresses: readonly string[]; live: boolean }): JSX.Element {
  const [failed, setFailed] = useState(0);
  const [wasLive, setWasLive] = useState(live);
  if (wasLive !== live) {
    setWasLive(live);
    if (live) setFailed(0);
  }
  const address = addresses[failed];
  if (address === undefined) return <span className="no-picture" />;
  return <img src={address} alt="" loading="lazy" width={60} height={45} onError={() => setFailed(failed + 1)} />;
}
