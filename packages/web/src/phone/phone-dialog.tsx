/** "Add a phone": a code to scan, and what the phone will ask. */
import { type JSX, useState } from "react";
import { Dialog } from "../dialog.tsx";
import type { Reach } from "../use-reach.ts";
import { phoneUrl, serversForPhones } from "./phone-url.ts";
import { QrCode } from "./qr-code.tsx";
import { TrustNote } from "./trust-note.tsx";

export type PhoneDialogProps = {
  /** Where the photos go; left out: into a new space. */
  space?: string | undefined;
  /** Address of the folder that the page came from. */
  page: string;
  reach: Reach | undefined;
  token: string | undefined;
  onClose(): void;
};

/** Open for as long as it is mounted. */
export function PhoneDialog({ space, page, reach, token, onClose }: PhoneDialogProps): JSX.Element {
  const servers = serversForPhones(page, reach);
  const [chosen, setChosen] = useState<string>();
  const server = chosen ?? servers[0];

  return (
    <Dialog title="Add a phone" className="phone-dialog" onClose={onClose}>
      {server === undefined ? (
        <p>
          This server talks to this machine only. Start it with <code>npx cairn serve --https</code>, and phones in the
          same network can take photos and stream video.
        </p>
      ) : (
        <>
          <p>Scan this with the phone's camera, in the same network. No app is needed.</p>
          <QrCode text={phoneUrl(server, space, token)} label={`Code for ${server}/capture`} />
          {servers.length > 1 ? (
            <select aria-label="Address" value={server} onChange={({ target }) => setChosen(target.value)}>
              {servers.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          ) : (
            <span className="phone-address">{server.replace(/^https?:\/\//, "")}</span>
          )}
          {token !== undefined && (
            <p className="advice">The code carries your token: whoever scans it may do what you may.</p>
          )}
          {server.startsWith("http:") && (
            <p className="advice">
              Over http the phone's camera stays closed to the page; photos of its own app can be sent. Start with{" "}
              <code>npx cairn serve --https</code> to open it.
            </p>
          )}
          {reach && server.startsWith("https:") && <TrustNote {...{ reach, server }} />}
        </>
      )}
    </Dialog>
  );
}
