/** What to do about the one warning of a certificate that only this server vouches for. */
import type { JSX } from "react";
import type { Reach } from "../use-reach.ts";

/** @param server address of it, by which the phone gets the certificate */
export function TrustNote({ reach, server }: { reach: Reach; server: string }): JSX.Element | null {
  if (!reach.installable || reach.fingerprint === undefined) return null;
  return (
    <details className="trust-note">
      <summary>The phone will warn once</summary>
      <p>
        The certificate is this server's own. On Android tap <b>Advanced</b>, then <b>Proceed</b>; on an iPhone{" "}
        <b>Show Details</b>, then <b>visit this website</b>.
      </p>
      <p>
        Without a warning, and for live video on an iPhone: open{" "}
        <a href={`${server}/certificate`}>{server.replace("https://", "")}/certificate</a> there, install it (Settings,
        Profile Downloaded) and trust it (Settings, General, About, Certificate Trust Settings).
      </p>
      <p>
        SHA-256 <code>{reach.fingerprint}</code>
      </p>
    </details>
  );
}
