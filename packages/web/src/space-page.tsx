/** One space: the model over the whole window, and around it what there is to know and do. */
import type { SpaceConnection } from "@cairn/client";
import { photosOf, shownGeneration, shownLayers } from "@cairn/protocol";
import type { ColorMode, Viewer, ViewerStats } from "@cairn/viewer";
import { type JSX, useCallback, useEffect, useState } from "react";
import { Clouds } from "./clouds.tsx";
import { ConnectionNote } from "./connection-note.tsx";
import { DevicesPanel } from "./control/devices-panel.tsx";
import { DropVeil, useDrop } from "./drop.tsx";
import { Icon, Mark } from "./icons.tsx";
import { Legend } from "./legend.tsx";
import { LiveVideo } from "./live/live-video.tsx";
import { AddPhone } from "./phone/add-phone.tsx";
import { PhotoPanel } from "./photo-panel.tsx";
import { Running } from "./running.tsx";
import type { Site } from "./site.ts";
import { Toasts, useToasts } from "./toast-list.tsx";
import { announce, announceRefusals } from "./toasts.ts";
import { withToken } from "./token.ts";
import { TopBar } from "./top-bar.tsx";
import type { Uploads } from "./uploads.ts";
import { PHONE_PX, useInsets } from "./use-insets.ts";
import { useSpace } from "./use-space.ts";
import { type Hover, ViewerCanvas } from "./viewer-canvas.tsx";
import { beforePoints, photoStatus } from "./words.ts";

export function SpacePage({ space, site }: { space: string; site: Site }): JSX.Element {
  const { api, token } = site;
  const open = useSpace(site, space);
  const [viewer, setViewer] = useState<Viewer>();
  const [hover, setHover] = useState<Hover>();
  const [colorMode, setColorMode] = useState<ColorMode>("photo");
  // What the viewer shows has changed, so what its colours mean may have.
  const [, onStats] = useState<ViewerStats>();
  const [selected, setSelected] = useState<string>();
  const [panelOpen, setPanelOpen] = useState(() => innerWidth > PHONE_PX);
  const { toasts, say, dismiss } = useNotices(open?.connection, open?.uploads);

  const uploads = open?.uploads;
  const onFiles = useCallback(
    (files: File[], leftOut?: string) => {
      if (files.length > 0) uploads?.add(files, leftOut);
      else say("Nothing to add", leftOut, "bad");
    },
    [uploads, say],
  );
  const over = useDrop(onFiles);
  const title = open?.connection.state.title;

  useEffect(() => {
    document.title = title ? `${title} · Cairn` : "Cairn";
  }, [title]);

  // On a phone the name and the counts stand below the bar.
  useInsets(viewer, { open: panelOpen, panelPx: 332, belowBarPx: 56 });

  useEffect(() => viewer?.setColorMode(colorMode), [viewer, colorMode]);

  useEffect(() => {
    if (!uploads) return;
    const warn = (event: BeforeUnloadEvent) => {
      if (uploads.active) event.preventDefault();
    };
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [uploads]);

  useEffect(() => {
    viewer?.select(selected);
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") setSelected(undefined);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [viewer, selected]);

  if (!open) return <main className="space" />;
  const { connection, status, loaded, presence, problem } = open;
  const { state } = connection;

  if (status === "closed" || state.closed) {
    return (
      <main className="home">
        <header>
          <Mark />
          <h1>{problem?.title ?? "Nothing here"}</h1>
          <p className="lead">
            {state.closed ? "This space has been deleted." : (problem?.text ?? "The space is closed.")}
          </p>
          <a className="button primary" href="#/">
            All spaces
          </a>
        </header>
      </main>
    );
  }

  const onColorMode = (mode: ColorMode) => {
    viewer?.setColorMode(mode);
    setColorMode(mode);
  };
  const legend = viewer?.legend();
  const base = `./v1/spaces/${encodeURIComponent(space)}/images/`;
  const thumbnail = (image: string, sidePx: number) => withToken(`${base}${image}/thumbnail?side=${sidePx}`, token);
  const photos = photosOf(state);
  const shown = photos.find(({ image }) => image === selected);
  const hovered = photos.find(({ image }) => image === hover?.image);
  const next = photos.find(({ verdict }) => !verdict)?.image;
  const shownStatus = shown && photoStatus(shown, next, shownGeneration(state));
  const nothingYet = beforePoints(photos, open.uploads.active);
  const running = Object.values(state.operations).filter(({ endedNs }) => endedNs === undefined);

  return (
    <main className="space">
      <ViewerCanvas
        connection={connection}
        onViewer={setViewer}
        onHover={setHover}
        onSelect={setSelected}
        onStats={onStats}
      />
      <TopBar
        {...{ space, api, token, state, status, loaded, presence, viewer, colorMode, say }}
        onColorMode={onColorMode}
      />
      <ConnectionNote
        status={status}
        meanwhile="What is shown here stays, and photos that you add wait in this window."
      />
      {loaded && shownLayers(state).length === 0 && (
        <div className="empty">
          <Icon name="images" />
          <p>
            <strong>{nothingYet.title}</strong>
            <br />
            {nothingYet.text}
          </p>
        </div>
      )}
      <PhotoPanel
        open={panelOpen}
        setOpen={setPanelOpen}
        {...{ state, loaded, uploads: open.uploads, selected, thumbnail, onFiles }}
        live={status === "live"}
        clouds={<Clouds {...{ space, api, state, say }} />}
        camera={<AddPhone {...{ space, site }} />}
        fallback={(blob) => withToken(api.blobUrl(blob), token)}
        onSelect={(image) => {
          setSelected(image === selected ? undefined : image);
          if (image !== selected) viewer?.viewFrom(image);
        }}
      />
      <DevicesPanel {...{ space, api, connection, say }} control={state.control} />
      <div className="corner">
        <LiveVideo {...{ api, connection, status }} />
        {shown && shownStatus && (
          <section className="card photo-card" aria-label={shown.name}>
            <img src={thumbnail(shown.image, 640)} alt={shown.name} />
            <button type="button" className="icon-button" aria-label="Close" onClick={() => setSelected(undefined)}>
              <Icon name="close" />
            </button>
            <div>
              <strong>{shown.name}</strong>
              <span>
                {shownStatus.text} · {shown.width} × {shown.height}
                {shown.verdict?.matches !== undefined && ` · ${shown.verdict.matches} matches`}
              </span>
              {shownStatus.advice && <span className="advice">{shownStatus.advice}</span>}
              {shownStatus.kind === "placed" && (
                <button type="button" className="button small" onClick={() => viewer?.viewFrom(shown.image)}>
                  <Icon name="camera" /> View from here
                </button>
              )}
            </div>
          </section>
        )}
        {running.map((operation) => (
          <Running key={operation.operation} operation={operation} connection={connection} say={say} />
        ))}
        {legend && <Legend mode={colorMode} legend={legend} />}
      </div>
      {hover && hovered && hovered.image !== selected && (
        <div className="card hover-card" style={{ left: hover.xPx, top: hover.yPx }} aria-hidden="true">
          <img src={thumbnail(hovered.image, 160)} alt="" />
          <span>{hovered.name}</span>
        </div>
      )}
      <Toasts {...{ toasts, dismiss }} />
      <DropVeil visible={over} />
    </main>
  );
}

/** What one does here, and what happens in the space. */
function useNotices(
  connection: SpaceConnection | undefined,
  uploads: Uploads | undefined,
): ReturnType<typeof useToasts> {
  const notices = useToasts();
  const { show } = notices;
  useEffect(() => (connection ? announce(connection, show) : undefined), [connection, show]);
  useEffect(() => (uploads ? announceRefusals(uploads, show) : undefined), [uploads, show]);
  return notices;
}
