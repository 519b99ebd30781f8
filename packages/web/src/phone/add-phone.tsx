/**
 * The way to a camera: on a phone the page that takes photos, elsewhere a code for one to scan. What draws codes is loaded
 * when one is asked for.
 */
import { type JSX, useState } from "react";
import { captureQuery } from "../capture/capture-route.ts";
import { Dialog } from "../dialog.tsx";
import { Icon } from "../icons.tsx";
import { late, NOT_LOADED } from "../late.tsx";
import type { Site } from "../site.ts";
import { isPhone } from "./is-phone.ts";
import type { PhoneDialogProps } from "./phone-dialog.tsx";

const PhoneDialog = late<PhoneDialogProps>({
  load: async () => (await import("./phone-dialog.tsx")).PhoneDialog,
  waiting: null,
  Missing: ({ onClose }) => (
    <Dialog title="Add a phone" onClose={onClose}>
      <p role="alert">{NOT_LOADED}</p>
    </Dialog>
  ),
});

/** Beside the photos of a space. */
export function AddPhone({ space, site }: { space: string; site: Site }): JSX.Element {
  const [open, setOpen] = useState(false);
  if (isPhone()) {
    return (
      <a className="button small" href={`./capture${captureQuery(space)}`}>
        <Icon name="camera" />
        Camera
      </a>
    );
  }
  return (
    <>
      <button
        type="button"
        className="button small"
        aria-label="Add a phone"
        title="Add a phone"
        onClick={() => setOpen(true)}
      >
        <Icon name="phone" />
      </button>
      {open && <PhoneCode {...{ space, site }} onClose={() => setOpen(false)} />}
    </>
  );
}

/** On the start screen: into a new space. */
export function PhoneOffer({ site }: { site: Site }): JSX.Element {
  const [open, setOpen] = useState(false);
  if (isPhone()) {
    return (
      <a className="offer" href="./capture">
        <Icon name="camera" />
        <strong>Use this phone's camera</strong>
        <span>Photos or video; a sentence says what to do next while the model grows.</span>
      </a>
    );
  }
  return (
    <>
      <button type="button" className="offer" onClick={() => setOpen(true)}>
        <Icon name="phone" />
        <strong>Use a phone's camera</strong>
        <span>Scan a code, and take photos or stream video into a new space.</span>
      </button>
      {open && <PhoneCode space={undefined} site={site} onClose={() => setOpen(false)} />}
    </>
  );
}

function PhoneCode({ site, ...props }: { space: string | undefined; site: Site; onClose(): void }): JSX.Element {
  const { url, reach, token } = site;
  return <PhoneDialog {...props} page={url} reach={reach} token={token} />;
}
