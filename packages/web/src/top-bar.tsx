/** Name, connection, counts, and what one does with a space. */
import type { CairnApi, Status } from "@cairn/client";
import type { Presence, Preset, SpaceSettings, SpaceState } from "@cairn/protocol";
import type { ColorMode, Viewer } from "@cairn/viewer";
import { type JSX, useRef, useState } from "react";
import { copied } from "./clipboard.ts";
import { ExportMenu } from "./export-menu.tsx";
import { HistoryMenu } from "./history-menu.tsx";
import { Icon, Mark } from "./icons.tsx";
import { COLOR_MODES } from "./legend.tsx";
import { Menu } from "./menu.tsx";
import { isPhone } from "./phone/is-phone.ts";
import { PresetField } from "./preset-field.tsx";
import { ReportMenu } from "./report-menu.tsx";
import { SpaceName } from "./space-name.tsx";
import { StatusChip } from "./status-chip.tsx";
import type { Say } from "./toast-list.tsx";
import { count, inWords, modelOf } from "./words.ts";

type TopBarProps = {
  space: string;
  api: CairnApi;
  token: string | undefined;
  state: SpaceState;
  status: Status;
  /** There has been an answer: what is shown is the space, and no empty one. */
  loaded: boolean;
  presence: Presence | undefined;
  viewer: Viewer | undefined;
  colorMode: ColorMode;
  onColorMode(mode: ColorMode): void;
  say: Say;
};

/** How one moves in the model. */
const CONTROLS = {
  mouse:
    "Drag to turn, right-drag to move, wheel to zoom. A double click sets the point to turn about. Keys: arrows, Shift and arrows, + and −, F.",
  touch: "One finger turns, two move and zoom. A double tap sets the point to turn about.",
} as const;

export function TopBar(props: TopBarProps): JSX.Element {
  const { space, api, token, state, status, loaded, presence, viewer, colorMode, onColorMode, say } = props;
  const [pointScale, setPointScale] = useState(1);
  const [cameras, setCameras] = useState(true);
  const remover = useRef<HTMLDialogElement>(null);
  const model = modelOf(state);
  const photos = Object.keys(state.images).length;

  const share = async () => {
    if (await copied(location.href)) say("Link copied");
    else say("Copy this link", location.href);
  };
  const rename = async (title: string) => {
    try {
      await api.renameSpace(space, title);
      return true;
    } catch (error) {
      say("Not renamed", inWords(error), "bad");
      return false;
    }
  };
  const configure = async (settings: Partial<SpaceSettings>) => {
    await api.configureSpace(space, settings).catch((error: unknown) => say("Not changed", inWords(error), "bad"));
  };
  const choosePreset = async (preset: Preset) => {
    try {
      await api.configureSpace(space, { preset });
      if (state.generation > 0) await api.startOperation(space, "rebuild");
    } catch (error) {
      say("Not changed", inWords(error), "bad");
    }
  };
  const remove = async () => {
    try {
      await api.deleteSpace(space);
      location.hash = "";
    } catch (error) {
      say("Not deleted", inWords(error), "bad");
    }
  };

  return (
    <header className="bar">
      <a href="#/" className="home-link" aria-label="All spaces">
        <Mark />
      </a>
      <div className="facts">
        {loaded ? (
          <SpaceName key={state.title} name={state.title || space} onRename={rename} />
        ) : (
          <h1 className="opening">Opening…</h1>
        )}
        <StatusChip status={!loaded && status === "reconnecting" ? "connecting" : status} />
        {loaded && (
          <span className="counts">
            <span data-count="points">{count(model.points, "point")}</span>
            <span aria-hidden="true"> · </span>
            <span data-count="photos">
              {photos === 0 ? "no photos" : `${model.cameras} of ${count(photos, "photo")}`}
            </span>
          </span>
        )}
      </div>
      {status === "live" && presence && presence.count > 1 && (
        <span className="presence" title={`${presence.count} people are looking at this space`}>
          <Icon name="people" />
          {presence.count}
        </span>
      )}
      {Object.values(state.recordings ?? {}).some(({ ended }) => !ended) && (
        <span className="recording" role="status" title="What comes live in this space is being recorded">
          <i aria-hidden="true" />
          <span className="label">Recording</span>
        </span>
      )}
      <span className="spring" />
      <button type="button" className="button" aria-label="Show everything (F)" onClick={() => viewer?.frame()}>
        <Icon name="frame" />
      </button>
      <Menu label="View" icon="sliders" stays>
        <label className="field">
          <span>Colour by</span>
          <select value={colorMode} onChange={({ target }) => onColorMode(target.value as ColorMode)}>
            {Object.entries(COLOR_MODES).map(([mode, name]) => (
              <option key={mode} value={mode}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          <span>Point size</span>
          <output>{pointScale.toFixed(1)}×</output>
          <input
            type="range"
            min={0.3}
            max={3}
            step={0.1}
            value={pointScale}
            onChange={({ target }) => {
              setPointScale(target.valueAsNumber);
              viewer?.setPointSize(target.valueAsNumber);
            }}
          />
        </label>
        <label className="field">
          <span>Cameras</span>
          <input
            type="checkbox"
            className="switch"
            checked={cameras}
            onChange={({ target }) => {
              setCameras(target.checked);
              viewer?.setCamerasVisible(target.checked);
            }}
          />
        </label>
        <PresetField preset={state.settings.preset} onPreset={(preset) => void choosePreset(preset)} />
        <label className="field">
          <span>Live video adds photos</span>
          <input
            type="checkbox"
            className="switch"
            checked={state.settings.keyframes}
            onChange={({ target }) => void configure({ keyframes: target.checked })}
          />
        </label>
        <p className="aside">{CONTROLS[isPhone() ? "touch" : "mouse"]}</p>
        <hr />
        <button type="button" className="menu-item danger" onClick={() => remover.current?.showModal()}>
          <Icon name="trash" /> Delete this space…
        </button>
      </Menu>
      <ReportMenu {...{ space, api, state }} />
      <HistoryMenu {...{ space, api, token, state, say }} />
      <ExportMenu {...{ space, api, token, state, say }} />
      <button type="button" className="button primary" aria-label="Share" onClick={() => void share()}>
        <Icon name="share" />
        <span className="label">Share</span>
      </button>
      <dialog ref={remover} className="card" aria-labelledby="remove-title">
        <h2 id="remove-title">Delete “{state.title || space}”?</h2>
        <p>{count(photos, "photo")} and the model go for everyone who has the link. This cannot be undone.</p>
        <form method="dialog" className="actions">
          <button type="submit" className="button">
            Keep it
          </button>
          <button type="submit" className="button danger" onClick={() => void remove()}>
            Delete
          </button>
        </form>
      </dialog>
    </header>
  );
}
