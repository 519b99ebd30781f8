/** Every photo that was taken here, newest first, each with what became of it so far. */
import type { SpaceState } from "@cairn/protocol";
import { type JSX, useEffect, useState } from "react";
import { Icon } from "../icons.tsx";
import { photoStatus } from "../words.ts";
import type { QueuedPhoto } from "./photo-queue.ts";

type PhotoState = "waiting" | "held" | "sending" | "kept" | "placed" | "unplaced" | "refused";
type Fate = { readonly state: PhotoState; readonly text: string; readonly advice?: string };

/** @param live the server answers just now */
function fateOf(photo: QueuedPhoto, state: SpaceState, live: boolean): Fate {
  if (photo.refusal !== undefined) return { state: "refused", text: "Refused", advice: photo.refusal };
  if (photo.image === undefined) {
    if (photo.sent !== undefined && live) {
      return { state: "sending", text: `Sending ${Math.round(photo.sent * 100)} %` };
    }
    if (!photo.held) return { state: "waiting", text: "Waiting" };
    return { state: "held", text: "Not sent", advice: `${photo.held.why} It stays on this phone, and is tried again.` };
  }
  const image = state.images[photo.image];
  if (!image?.verdict) return { state: "kept", text: "On disk" };
  const { kind, advice } = photoStatus(image, undefined);
  if (kind === "placed") return { state: "placed", text: "Placed" };
  return { state: "unplaced", text: kind === "waiting" ? "Not yet placed" : "Not used", ...(advice && { advice }) };
}

const LONG: Readonly<Record<PhotoState, string>> = {
  held: "It stays on this phone, and is tried again.",
  waiting: "Kept on this phone; it is sent as soon as the server answers.",
  sending: "On its way to the server.",
  kept: "Durable on the server; waiting for the reconstruction.",
  placed: "Its place in the model is known.",
  unplaced: "The reconstruction does not use it so far.",
  refused: "The server does not take it.",
};

const TIME = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

type PhotoStripProps = {
  photos: readonly QueuedPhoto[];
  state: SpaceState;
  live: boolean;
  onRemove(key: string): void;
};

export function PhotoStrip({ photos, state, live, onRemove }: PhotoStripProps): JSX.Element | null {
  const [selected, setSelected] = useState<string>();
  if (photos.length === 0) return null;
  const shown = photos.find(({ key }) => key === selected);
  const fate = shown && fateOf(shown, state, live);
  return (
    <>
      {shown && fate && (
        <section className="card strip-facts" aria-label={shown.name}>
          <strong>{fate.text}</strong>
          <span>{fate.advice ?? LONG[fate.state]}</span>
          {["waiting", "held", "refused"].includes(fate.state) && (
            <button type="button" className="button" onClick={() => onRemove(shown.key)}>
              <Icon name="trash" /> Throw away
            </button>
          )}
          <button type="button" className="icon-button" aria-label="Close" onClick={() => setSelected(undefined)}>
            <Icon name="close" />
          </button>
        </section>
      )}
      <ol className="strip" aria-label="Photos taken here">
        {[...photos].reverse().map((photo) => {
          const { state: now, text } = fateOf(photo, state, live);
          return (
            <li key={photo.key} data-state={now}>
              <button
                type="button"
                aria-label={`Photo of ${TIME.format(photo.takenMs)}: ${text}`}
                aria-pressed={photo.key === selected}
                onClick={() => setSelected(photo.key === selected ? undefined : photo.key)}
              >
                <Thumbnail photo={photo} />
                <span>{text}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function Thumbnail({ photo: { thumbnail } }: { photo: QueuedPhoto }): JSX.Element {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!thumbnail) return;
    const made = URL.createObjectURL(thumbnail);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [thumbnail]);
  return url ? <img src={url} alt="" /> : <i />;
}
