/** An image session: what anyone uploads appears at once, and can be compressed, turned, saved and deleted together. */
import { type JSX, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { copied } from "../../clipboard.ts";
import { DropVeil, useDrop } from "../../drop.tsx";
import { Icon } from "../../icons.tsx";
import { PhotoPicker } from "../../photo-picker.tsx";
import { Toasts, useToasts } from "../../toast-list.tsx";
import { count, sizeInWords } from "../../words.ts";
import { FaceBar } from "../shared/face-bar.tsx";
import type { Place } from "../shared/place.ts";
import { useStore } from "../shared/store.ts";
import { timeLeft, useNow } from "../shared/times.ts";
import { CompressDialog } from "./compress-dialog.tsx";
import { ImageTile, UploadTile } from "./image-tile.tsx";
import { OperationCard } from "./operation-card.tsx";
import { SessionPicker } from "./session-picker.tsx";
import { SessionWork } from "./session-work.ts";

const ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff";
/** From here on the end of the session is something to warn of (IMG-15). */
const WARNING_S = 300;

export function ImagetoolsPage({ place }: { place: Place }): JSX.Element {
  const id = useSyncExternalStore(onHash, sessionInAddress);
  return id === undefined ? <SessionPicker place={place} /> : <Session key={id} place={place} id={id} />;
}

function onHash(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

function sessionInAddress(): string | undefined {
  return /^#\/([\w.-]{1,128})$/.exec(location.hash)?.[1];
}

function Session({ place, id }: { place: Place; id: string }): JSX.Element {
  const { toasts, say, dismiss } = useToasts();
  const open = useStore(useCallback(() => new SessionWork(place, id, say), [place, id, say]));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const picker = useRef<HTMLInputElement>(null);
  const compressing = useRef<HTMLDialogElement>(null);
  const deleting = useRef<HTMLDialogElement>(null);
  const nowMs = useNow();
  const store = open?.store;
  const onFiles = useCallback(
    (files: File[], leftOut?: string) => {
      store?.add(files);
      if (leftOut !== undefined) say("Not added", leftOut, "bad");
    },
    [store, say],
  );
  const over = useDrop(onFiles);

  useEffect(() => {
    document.title = "Image session · Cairn";
  }, []);

  if (!open || !store) return <main className="space" />;
  const { status, images, uploads, operations, expiresMs, connections, problem } = open.state;
  const all = images ?? [];
  const selected = all.filter((image) => chosen.has(image.id)).map((image) => image.id);
  const leftS = expiresMs === undefined ? undefined : (expiresMs - nowMs) / 1000;
  const ended = status === "over" || (leftS !== undefined && leftS <= 0);
  const bytes = all.reduce((sum, { current_size }) => sum + current_size, 0);
  const toggle = (image: string) => {
    const next = new Set(chosen);
    if (!next.delete(image)) next.add(image);
    setChosen(next);
  };
  const share = async () => {
    if (await copied(location.href)) say("Link copied");
    else say("Copy this link", location.href);
  };
  const save = async () => {
    const zip = await store.save(selected);
    if (zip) saveAs(zip, "images.zip");
  };

  return (
    <main className="space gallery-page">
      <FaceBar
        title={id}
        status={status}
        counts={
          <>
            <span data-count="images">{count(all.length, "image")}</span>
            {bytes > 0 && <span data-count="bytes"> · {sizeInWords(bytes)}</span>}
            {leftS !== undefined && leftS > WARNING_S && <span> · ends in {timeLeft(leftS)}</span>}
          </>
        }
      >
        {connections > 1 && (
          <span className="presence" title={`${connections} pages are connected to this session`}>
            <Icon name="people" />
            {connections}
          </span>
        )}
        <button type="button" className="button primary" aria-label="Share" onClick={() => void share()}>
          <Icon name="share" />
          <span className="label">Share</span>
        </button>
      </FaceBar>
      <div className="gallery">
        {(ended || (leftS !== undefined && leftS <= WARNING_S)) && (
          <div className="card notice" role="alert">
            <span>
              {ended ? (problem ?? "Session expired.") : `This session ends in ${timeLeft(leftS ?? 0)}.`}{" "}
              {ended ? "Nothing can be uploaded." : "Afterwards nothing can be uploaded."}
            </span>
            <button type="button" className="button small" onClick={() => void store.renew()}>
              Renew for seven days
            </button>
          </div>
        )}
        {problem && !ended && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="toolbar" role="toolbar" aria-label="Images">
          <button type="button" className="button" disabled={ended} onClick={() => picker.current?.click()}>
            <Icon name="plus" /> Upload
          </button>
          <PhotoPicker ref={picker} accept={ACCEPT} onFiles={onFiles} />
          <button
            type="button"
            className="button"
            disabled={all.length === 0}
            onClick={() => setChosen(selected.length === all.length ? new Set() : new Set(all.map((each) => each.id)))}
          >
            {selected.length === all.length && all.length > 0 ? "Select none" : "Select all"}
          </button>
          <span className="quiet" role="status">
            {selected.length > 0 ? `${selected.length} selected` : count(all.length, "image")}
          </span>
          <span className="spring" />
          <button
            type="button"
            className="button primary"
            disabled={selected.length === 0 || ended}
            onClick={() => compressing.current?.showModal()}
          >
            Compress…
          </button>
          <button
            type="button"
            className="button"
            disabled={selected.length === 0 || ended}
            onClick={() => void store.rotate(selected)}
          >
            Turn right
          </button>
          <button type="button" className="button" disabled={selected.length === 0} onClick={() => void save()}>
            <Icon name="download" /> Save
          </button>
          <button
            type="button"
            className="button"
            aria-label="Delete"
            disabled={selected.length === 0 || ended}
            onClick={() => deleting.current?.showModal()}
          >
            <Icon name="trash" />
          </button>
        </div>
        {images?.length === 0 && uploads.length === 0 && !ended && (
          <button type="button" className="drop-zone" onClick={() => picker.current?.click()}>
            <Icon name="images" />
            <strong>Drop images anywhere</strong>
            <span>Or upload them from a phone: they appear here at once.</span>
          </button>
        )}
        <ul className="images" aria-label="Images of this session">
          {uploads.map((upload) => (
            <UploadTile key={`upload-${upload.id}`} upload={upload} onCancel={() => store.cancelUpload(upload.id)} />
          ))}
          {all.map((image) => (
            <ImageTile
              key={image.id}
              {...{ place, image }}
              chosen={chosen.has(image.id)}
              onToggle={() => toggle(image.id)}
            />
          ))}
        </ul>
      </div>
      <div className="corner">
        {operations.map((operation) => (
          <OperationCard
            key={operation.operation_id}
            operation={operation}
            nameOf={(image) => all.find((each) => each.id === image)?.original_filename ?? "An image"}
            onCancel={() => void store.cancel(operation.operation_id)}
            onDismiss={() => store.dismiss(operation.operation_id)}
          />
        ))}
      </div>
      <CompressDialog
        ref={compressing}
        place={place}
        images={selected.length}
        onCompress={(how) => void store.compress(selected, how)}
      />
      <dialog ref={deleting} className="card" aria-labelledby="delete-title">
        <h2 id="delete-title">Delete {count(selected.length, "image")}?</h2>
        <p>They go for everyone who has this session. This cannot be undone.</p>
        <form method="dialog" className="actions">
          <button type="submit" className="button">
            Keep them
          </button>
          <button type="submit" className="button danger" onClick={() => void store.remove(selected)}>
            Delete
          </button>
        </form>
      </dialog>
      <Toasts {...{ toasts, dismiss }} />
      <DropVeil visible={over} text="Drop to upload images" />
    </main>
  );
}

function saveAs(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
