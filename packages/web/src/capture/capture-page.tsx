/** The page in one hand: viewfinder, one large button, what to do next, and the model that grows. */
import { shownGeneration } from "@cairn/protocol";
import { type JSX, useCallback, useEffect, useRef, useState } from "react";
import { Icon, Mark } from "../icons.tsx";
import { spaceHash } from "../route.ts";
import type { Site } from "../site.ts";
import { StatusChip } from "../status-chip.tsx";
import { noteShortfall } from "../token.ts";
import { useSpace } from "../use-space.ts";
import { ViewerCanvas } from "../viewer-canvas.tsx";
import { captureTitle, count, inWords, modelOf } from "../words.ts";
import { adviceFor } from "./advice.ts";
import { type CameraUse, takePhoto, thumbnailOf } from "./camera.ts";
import { CameraNote } from "./camera-note.tsx";
import "./capture.css";
import { captureQuery } from "./capture-route.ts";
import { PhotoInput } from "./photo-input.tsx";
import { isWaiting } from "./photo-queue.ts";
import { PhotoStrip } from "./photo-strip.tsx";
import { useCamera } from "./use-camera.ts";
import { SOURCE, useDevice } from "./use-device.ts";
import { useQueue } from "./use-queue.ts";
import { PACES_S, usePaced, useVideo, useWay } from "./use-shooting.ts";
import { streamChannel, useStreamProblem } from "./use-stream-problem.ts";
import { keepAwake } from "./wake-lock.ts";

type CapturePageProps = { space: string | undefined; site: Site };

/** Without a space in the address, a new one is made and put there. */
export function CapturePage({ space: named, site }: CapturePageProps): JSX.Element {
  const { api } = site;
  const [space, setSpace] = useState(named);
  const [problem, setProblem] = useState<string>();
  const asked = useRef(false);

  const make = useCallback(async () => {
    setProblem(undefined);
    try {
      const { id } = await api.createSpace({ title: captureTitle() });
      history.replaceState(null, "", captureQuery(id));
      setSpace(id);
    } catch (error) {
      setProblem(inWords(error));
    }
  }, [api]);

  useEffect(() => {
    document.title = "Capture · Cairn";
    if (space !== undefined || asked.current) return;
    asked.current = true; // effects run twice in strict mode
    void make();
  }, [space, make]);

  if (space !== undefined) return <Capture key={space} {...{ space, site }} />;
  return (
    <main className="capture">
      {problem && (
        <div className="capture-note" role="alert">
          <p>{problem}</p>
          <button type="button" className="button primary" onClick={() => void make()}>
            Try again
          </button>
        </div>
      )}
    </main>
  );
}

/** A corner needs few points, and the encoder needs the phone. */
const MODEL_POINTS = 150_000;
const nothing = () => {};
const OWN_STREAM = streamChannel(SOURCE);

function Capture({ space, site }: { space: string; site: Site }): JSX.Element {
  const open = useSpace(site, space, OWN_STREAM);
  const { queue, items, problem: unread } = useQueue(open?.connection);
  const viewfinder = useRef<HTMLVideoElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const [use, setUse] = useState<CameraUse>("photo");
  const { stream, problem, retry } = useCamera(viewfinder, use);
  const unused = useStreamProblem(open?.connection, SOURCE);
  const device = useDevice(site, space, stream !== undefined);
  const way = useWay(stream, viewfinder);
  const [running, setRunning] = useState(false);
  const [paceS, setPaceS] = useState<number>(PACES_S[1]);
  const [flash, setFlash] = useState(0);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const unsent = use === "video" && way?.kind === "video" && device.refused;
  const video = useVideo(running && use === "video", way, device.line, viewfinder);

  useEffect(() => {
    if (unsent) noteShortfall();
  }, [unsent]);

  useEffect(() => {
    const stop = new AbortController();
    keepAwake(stop.signal);
    return () => stop.abort();
  }, []);

  const add = useCallback(
    async (photos: readonly Blob[]) => {
      try {
        await queue?.addAll(photos, thumbnailOf);
        setFailure(undefined);
      } catch (error) {
        setFailure(inWords(error));
        setRunning(false);
      }
    },
    [queue],
  );
  const remove = (key: string) => {
    queue?.remove(key).catch((error: unknown) => setFailure(inWords(error)));
  };
  const shoot = useCallback(async () => {
    if (!stream || !viewfinder.current) return;
    setBusy(true);
    try {
      const photo = await takePhoto(stream, viewfinder.current);
      setFlash((n) => n + 1);
      await add([photo]);
    } catch (error) {
      setFailure(inWords(error));
    } finally {
      setBusy(false);
    }
  }, [stream, add]);
  const paced = use === "video" && way?.kind === "photos";
  usePaced(running && paced, paceS, shoot);

  if (!open) return <main className="capture" />;
  const { connection, status, loaded } = open;
  const { state } = connection;
  const waiting = items.filter(isWaiting);
  if (status === "closed" || state.closed) {
    return (
      <main className="capture">
        <h1 className="unseen">Photos for {state.title || space}</h1>
        <div className="capture-note" role="alert">
          <p>{state.closed ? "This space has been deleted." : (open.problem?.text ?? "The space is closed.")}</p>
          {waiting.length > 0 && (
            <p>
              {count(waiting.length, "photo")} not yet on the server. What waits stays on this phone until you can open
              the space again, or throw it away.
            </p>
          )}
          <a className="button primary" href="./capture">
            Begin a new one
          </a>
        </div>
        {waiting.length > 0 && (
          <div className="capture-foot">
            {failure && <p className="problem">{failure}</p>}
            <PhotoStrip photos={waiting} state={state} live={false} onRemove={remove} />
          </div>
        )}
      </main>
    );
  }

  const live = status === "live";
  const model = modelOf(state);
  const photos = Object.keys(state.images).length;
  const held = waiting.findLast((photo) => photo.held)?.held;
  const advice = adviceFor(state, use, running || use === "photo" ? device.turning : 0);
  const ready = stream !== undefined && queue !== undefined;
  const streaming = use === "video";
  const noPhotos = streaming && unused !== undefined ? `The video becomes no photos. ${unused}` : undefined;
  const said = failure ?? unread ?? video.problem ?? device.told ?? noPhotos;
  const choose = (next: CameraUse) => {
    setRunning(false);
    setUse(next);
  };
  const press = () => {
    if (problem) return camera.current?.click();
    if (device.motion === "ask") device.askMotion();
    if (streaming) setRunning(!running);
    else void shoot();
  };

  return (
    <main className="capture" data-camera={stream ? "on" : "off"}>
      <video ref={viewfinder} className="viewfinder" muted playsInline aria-label="Viewfinder" />
      {flash > 0 && <div key={flash} className="capture-flash" aria-hidden="true" />}
      <header className="capture-top">
        <h1 className="unseen">Photos for {state.title || space}</h1>
        <a className="home-link" href={`./${spaceHash(space)}`} aria-label="The space of these photos">
          <Mark />
        </a>
        <StatusChip status={!loaded && status === "reconnecting" ? "connecting" : status} />
        <span className="counts">
          <span data-count="points">{count(model.points, "point")}</span>
          <span aria-hidden="true"> · </span>
          <span data-count="placed">{photos === 0 ? "no photos" : `${model.cameras} of ${photos} placed`}</span>
        </span>
      </header>
      {loaded && shownGeneration(state) && (
        <a className="capture-model" href={`./${spaceHash(space)}`} aria-label="The whole model">
          <div inert>
            <ViewerCanvas
              connection={connection}
              mostPoints={MODEL_POINTS}
              onViewer={nothing}
              onHover={nothing}
              onSelect={nothing}
              onStats={nothing}
            />
          </div>
        </a>
      )}
      <div className="capture-foot">
        {problem && <CameraNote {...{ problem, space, site }} onRetry={retry} />}
        {said && (
          <p className="problem" role="alert">
            {said}
          </p>
        )}
        {!live && (loaded || status === "offline") && (
          <p className="capture-advice" data-tone="warn" role="status">
            No connection. Go on taking photos: they wait here
            {queue?.lasting === false ? ", but only while this page stays open" : " and are sent by themselves"}.
          </p>
        )}
        {live && loaded && !(problem && items.length === 0) && (
          <p className="capture-advice" data-tone={advice.tone} role="status">
            {advice.text}
          </p>
        )}
        {unsent && (
          <p className="problem" role="alert">
            The token that this phone came with allows photos, but no video.
          </p>
        )}
        {streaming && way && !unsent && (
          <p className="capture-way" data-way={way.kind}>
            {way.kind === "video"
              ? `H.264 ${way.plan.profile}, ${way.plan.width} × ${way.plan.height}${running ? ` · ${count(video.stats.sent, "picture")} sent${video.stats.skipped > 0 ? `, ${video.stats.skipped} left out` : ""}` : ""}`
              : "This browser encodes no H.264, so it sends photos at a pace instead:"}
            {way.kind === "photos" && (
              <select aria-label="Pace" value={paceS} onChange={({ target }) => setPaceS(Number(target.value))}>
                {PACES_S.map((each) => (
                  <option key={each} value={each}>
                    every {each} s
                  </option>
                ))}
              </select>
            )}
          </p>
        )}
        {waiting.length > 0 && (
          <p className="capture-way" data-count="waiting">
            {count(waiting.length, "photo")} not yet on the server{held && `. ${held.why}`}
          </p>
        )}
        <PhotoStrip photos={items} state={state} live={live} onRemove={remove} />
        <div className="capture-controls">
          <fieldset className="capture-modes">
            <legend className="unseen">What to send</legend>
            {(["photo", "video"] as const).map((each) => (
              <button
                key={each}
                type="button"
                aria-pressed={use === each}
                disabled={!!problem}
                onClick={() => choose(each)}
              >
                {each === "photo" ? "Photo" : "Video"}
              </button>
            ))}
          </fieldset>
          <button
            type="button"
            className="shutter"
            data-running={running}
            disabled={problem ? !queue : !ready || (streaming ? !way || unsent : busy)}
            aria-label={streaming ? (running ? "Stop" : "Start") : "Take photo"}
            onClick={press}
          >
            <i aria-hidden="true" />
          </button>
          <button type="button" className="button" disabled={!queue} onClick={() => picker.current?.click()}>
            <Icon name="images" /> <span>From a file</span>
          </button>
          <PhotoInput ref={picker} label="Photos" multiple onPhotos={add} />
          <PhotoInput ref={camera} label="Camera of the phone" capture="environment" onPhotos={add} />
        </div>
        {device.motion === "ask" && (
          <button type="button" className="button capture-motion" onClick={device.askMotion}>
            Use the phone's motion: the model stands upright
          </button>
        )}
      </div>
    </main>
  );
}
