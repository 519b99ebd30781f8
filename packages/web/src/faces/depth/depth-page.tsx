/** A depth session: photos in, a GLB of points and cameras out, seen while it is made. */
import type { ModelView } from "@cairn/viewer/model";
import { type JSX, useCallback, useEffect, useRef, useState } from "react";
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
import { Preview, ResultCard, WorkCard } from "./depth-cards.tsx";
import { DepthParamsFields, type Params, USUAL_PARAMS } from "./depth-params.tsx";
import { type DepthState, DepthWork } from "./depth-work.ts";

const PANEL_PX = 340;
const CARD_PX = 316;
const ACCEPT = "image/jpeg,image/png,image/webp,image/bmp,image/tiff";

export function DepthPage({ place }: { place: Place }): JSX.Element {
  const open = useStore(useCallback(() => new DepthWork(place, sessionInAddress()), [place]));
  const [view, setView] = useState<ModelView>();
  const [panelOpen, setPanelOpen] = useState(true);
  const [params, setParams] = useState<Params>(USUAL_PARAMS);
  const [incremental, setIncremental] = useState(true);
  const picker = useRef<HTMLInputElement>(null);
  const store = open?.store;
  const { onFiles, over, leftOut } = usePhotoDrop(store);
  const result = open?.state.result;

  useEffect(() => {
    document.title = "Depth session · Cairn";
  }, []);
  useEffect(() => {
    if (!view) return;
    if (result) view.put("glb", result.model);
    else view.keep(new Set());
  }, [view, result]);

  if (!open || !store) return <main className="space" />;
  const { photos, session, earlier, work, problem, finalized } = open.state;
  const usable = photos.filter(({ status }) => status !== "refused").length + earlier;
  const onGenerate = () => {
    if (innerWidth <= PHONE_PX) setPanelOpen(false);
    void store.generate(params, incremental);
  };

  return (
    <main className="space">
      <ModelCanvas
        onView={setView}
        panelOpen={panelOpen}
        panelPx={PANEL_PX}
        leftPx={work || result ? CARD_PX + 12 : 0}
      />
      <FaceBar
        title="Depth session"
        counts={
          <>
            <span data-count="photos">{count(photos.length + earlier, "photo")}</span>
            {result && <span data-count="points"> · {count(result.model.points, "point")}</span>}
          </>
        }
      >
        <State state={open.state} />
        <button type="button" className="button" aria-label="Show everything (F)" onClick={() => view?.frame()}>
          <Icon name="frame" />
        </button>
      </FaceBar>
      {!result && !work && (
        <div className="empty">
          <Icon name="images" />
          <p>
            <strong>{isPhone() ? "Choose photos" : "Drop photos anywhere"}</strong>
            <br />
            Overlapping ones from different places. Then press Generate.
          </p>
        </div>
      )}
      <aside className={panelOpen ? "card panel depth-panel open" : "card panel depth-panel"} aria-label="Photos">
        <PanelHead
          title="Photos"
          said={photos.length + earlier === 0 ? "none yet" : photos.length + earlier}
          open={panelOpen}
          onOpen={setPanelOpen}
        >
          <button type="button" className="button small" onClick={() => picker.current?.click()}>
            <Icon name="plus" />
            Add
          </button>
          <PhotoPicker ref={picker} accept={ACCEPT} onFiles={onFiles} />
        </PanelHead>
        {panelOpen && (
          <div className="panel-body">
            {photos.length > 0 ? (
              <ul className="previews">
                {photos.map((photo) => (
                  <Preview key={photo.id} photo={photo} onRemove={() => store.remove(photo.id)} />
                ))}
              </ul>
            ) : (
              <button type="button" className="drop-zone" onClick={() => picker.current?.click()}>
                <Icon name="images" />
                <span>{isPhone() ? "Choose photos" : "Drop photos here, or choose them"}</span>
              </button>
            )}
            {earlier > 0 && <p className="quiet">{count(earlier, "photo")} in this session from before.</p>}
            <DepthParamsFields params={params} locked={session !== undefined} onChange={setParams} />
            <fieldset className="params" disabled={work !== undefined}>
              <legend>Results</legend>
              <label className="field">
                <span>Show partial models on the way</span>
                <input
                  type="checkbox"
                  className="switch"
                  checked={incremental}
                  onChange={({ target }) => setIncremental(target.checked)}
                />
              </label>
            </fieldset>
            {problem && (
              <p className="problem" role="alert">
                {problem}
              </p>
            )}
            <div className="tools">
              <button
                type="button"
                className="button primary"
                disabled={usable === 0 || work !== undefined}
                onClick={onGenerate}
              >
                <Icon name="play" /> Generate
              </button>
              <button
                type="button"
                className="button"
                disabled={usable === 0 || work !== undefined || finalized}
                onClick={() => void store.finalize(params)}
              >
                Finalize
              </button>
            </div>
            {session !== undefined && !work && (
              <div className="tools">
                <button type="button" className="button small" onClick={() => store.reset()}>
                  New session
                </button>
                <button type="button" className="button small" onClick={() => void store.delete()}>
                  <Icon name="trash" /> Delete this one
                </button>
              </div>
            )}
          </div>
        )}
      </aside>
      <div className="corner">
        {result && <ResultCard result={result} session={session ?? "model"} working={work !== undefined} />}
        {work && <WorkCard {...work} />}
        {leftOut && (
          <p className="problem" role="alert">
            {leftOut}
          </p>
        )}
        {problem && !panelOpen && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      <DropVeil visible={over} text="Drop to add photos" />
    </main>
  );
}

function sessionInAddress(): string | undefined {
  return /^#\/([\w-]+)$/.exec(location.hash)?.[1];
}

function State({ state: { work, problem, finalized, result, photos } }: { state: DepthState }): JSX.Element {
  const [tone, text] = work
    ? ["reconnecting", "Working"]
    : problem
      ? ["offline", "Failed"]
      : finalized
        ? ["live", "Final"]
        : result
          ? ["live", "Ready"]
          : ["calm", photos.length > 0 ? "Waiting for Generate" : "New"];
  return (
    <span className={`chip ${tone}`} role="status">
      <i aria-hidden="true" />
      {text}
    </span>
  );
}
