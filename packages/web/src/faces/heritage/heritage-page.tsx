/** A heritage project: photos in, and the shards of its cloud as they come. */
import type { ModelView } from "@cairn/viewer/model";
import { type JSX, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { DropVeil } from "../../drop.tsx";
import { Icon } from "../../icons.tsx";
import { PanelHead } from "../../panel-head.tsx";
import { isPhone } from "../../phone/is-phone.ts";
import { PhotoPicker } from "../../photo-picker.tsx";
import { PHONE_PX } from "../../use-insets.ts";
import { count } from "../../words.ts";
import { FaceBar } from "../shared/face-bar.tsx";
import { ModelCanvas } from "../shared/model-canvas.tsx";
import type { Place } from "../shared/place.ts";
import { useStore } from "../shared/store.ts";
import { usePhotoDrop } from "../shared/use-photo-drop.ts";
import { type HeritagePhoto, HeritageProject, type Receiving } from "./heritage-project.ts";
import { ProjectPicker } from "./project-picker.tsx";

const PANEL_PX = 320;
const ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff";

export function HeritagePage({ place }: { place: Place }): JSX.Element {
  const name = useSyncExternalStore(onHash, projectInAddress);
  return name === undefined ? <ProjectPicker place={place} /> : <Project key={name} place={place} name={name} />;
}

function onHash(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

function projectInAddress(): string | undefined {
  const name = /^#\/(.+)$/.exec(location.hash)?.[1];
  try {
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return undefined; // a % that encodes nothing
  }
}

function Project({ place, name }: { place: Place; name: string }): JSX.Element {
  const open = useStore(useCallback(() => new HeritageProject(place, name), [place, name]));
  const [view, setView] = useState<ModelView>();
  const [panelOpen, setPanelOpen] = useState(() => innerWidth > PHONE_PX);
  const picker = useRef<HTMLInputElement>(null);
  const store = open?.store;
  const { onFiles, over, leftOut } = usePhotoDrop(store);
  const shards = open?.state.shards;

  useEffect(() => {
    document.title = `${name} · Heritage`;
  }, [name]);

  useEffect(() => {
    // The frame is that of the first photo's camera (HER-33).
    view?.setUp("-y");
    view?.setEye([0, 0, 0]);
  }, [view]);
  const shown = useRef<{ view: ModelView; keys: Set<string> }>(undefined);
  useEffect(() => {
    if (!view || !shards) return;
    if (shown.current?.view !== view) shown.current = { view, keys: new Set() };
    const { keys } = shown.current;
    const gone = [...keys].some((key) => !shards.has(key));
    for (const [key, model] of shards) if (!keys.has(key) && model.points > 0) view.put(key, model);
    // The new ones first: the picture is never empty in between.
    if (gone) view.keep(new Set(shards.keys()));
    shown.current.keys = new Set(shards.keys());
  }, [view, shards]);

  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => {
      if (store?.uploading) event.preventDefault();
    };
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [store]);

  if (!open || !store) return <main className="space" />;
  const { status, photos, images, updates, rebuilds, clients, queued, points, receiving, problem } = open.state;

  return (
    <main className="space">
      <ModelCanvas onView={setView} panelOpen={panelOpen} panelPx={PANEL_PX} />
      <FaceBar
        title={name}
        status={status}
        counts={
          <>
            <span data-count="points">{count(points, "point")}</span>
            <span data-count="images"> · {count(images, "photo")}</span>
          </>
        }
      >
        {clients > 1 && (
          <span className="presence" title={`${clients} are connected to this project`}>
            <Icon name="people" />
            {clients}
          </span>
        )}
        <button type="button" className="button" aria-label="Show everything (F)" onClick={() => view?.frame()}>
          <Icon name="frame" />
        </button>
        <button
          type="button"
          className="button"
          aria-label="Resync"
          title="Fetch the whole cloud again"
          disabled={status !== "connected"}
          onClick={() => store.resync()}
        >
          <Icon name="history" />
          <span className="label">Resync</span>
        </button>
      </FaceBar>
      {points === 0 && photos.length === 0 && !receiving && (
        <div className="empty">
          <Icon name="images" />
          <p>
            <strong>{isPhone() ? "Upload photos of the site" : "Drop photos of the site anywhere"}</strong>
            <br />
            Everyone who is connected sees the cloud grow with each of them.
          </p>
        </div>
      )}
      <aside className={panelOpen ? "card panel open" : "card panel"} aria-label="Photos">
        <PanelHead
          title="Photos"
          said={queued > 0 ? `${queued} waiting` : images === 0 ? "none yet" : images}
          open={panelOpen}
          onOpen={setPanelOpen}
        >
          <button type="button" className="button small" onClick={() => picker.current?.click()}>
            <Icon name="plus" />
            Upload
          </button>
          <PhotoPicker ref={picker} accept={ACCEPT} onFiles={onFiles} />
        </PanelHead>
        {panelOpen && (
          <>
            <dl className="counters">
              <Counter name="Photos" value={images} />
              <Counter name="Updates" value={updates} />
              <Counter name="Rebuilds" value={rebuilds} />
            </dl>
            <ul className="photos">
              {photos.map((photo) => (
                <PhotoRow key={photo.ref} photo={photo} onDismiss={() => store.dismiss(photo.ref)} />
              ))}
              {photos.length === 0 && (
                <li className="nothing">Photos that are uploaded from now on are listed here.</li>
              )}
            </ul>
          </>
        )}
      </aside>
      <div className="corner">
        {receiving && receiving.total > 0 && <ReceivingCard {...receiving} />}
        {leftOut && (
          <p className="problem" role="alert">
            {leftOut}
          </p>
        )}
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      <DropVeil visible={over} text="Drop to upload photos" />
    </main>
  );
}

function Counter({ name, value }: { name: string; value: number }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-counter={name}>{value}</dd>
    </div>
  );
}

const STATES = {
  queued: { kind: "queued", text: "Waiting to be sent" },
  sending: { kind: "uploading", text: "Uploading…" },
  waiting: { kind: "queued", text: "Waiting its turn" },
  working: { kind: "working", text: "Reconstructing…" },
  done: { kind: "placed", text: "Done" },
  known: { kind: "placed", text: "Part of the project already" },
  refused: { kind: "unused", text: "Not used" },
} as const satisfies Record<HeritagePhoto["status"], { kind: string; text: string }>;

function PhotoRow({ photo, onDismiss }: { photo: HeritagePhoto; onDismiss(): void }): JSX.Element {
  const { name, preview, status, points, problem } = photo;
  const { kind, text } = STATES[status];
  return (
    <li className={kind}>
      <div className="row">
        {preview ? (
          <img src={preview} alt="" width={60} height={45} />
        ) : (
          <span className="no-picture">
            <Icon name="images" />
          </span>
        )}
        <span className="photo-text">
          <span className="photo-name">{name}</span>
          <span className="photo-state">
            <i className="dot" aria-hidden="true" />
            {text}
            {status === "done" && ` · ${count(points ?? 0, "point")}`}
          </span>
          {problem && <span className="advice">{problem}</span>}
        </span>
        {status === "refused" && (
          <button type="button" className="icon-button" aria-label={`Dismiss ${name}`} onClick={onDismiss}>
            <Icon name="close" />
          </button>
        )}
      </div>
    </li>
  );
}

function ReceivingCard({ what, got, total }: Receiving): JSX.Element {
  const title = what === "rebuild" ? "Everything was reconstructed anew" : "Fetching the cloud";
  return (
    <section className="card work" aria-label={title}>
      <strong>{title}</strong>
      <progress aria-label={title} value={got} max={total} />
      <span className="quiet">
        Shard {Math.min(got + 1, total)} of {total}
      </span>
    </section>
  );
}
