/** Clouds of points that were added beside the model, each with the way out again. */
import type { CairnApi } from "@cairn/client";
import { type SpaceState, shownLayers } from "@cairn/protocol";
import { type JSX, useState } from "react";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";
import type { Say } from "./toast-list.tsx";
import { count, inWords } from "./words.ts";

type CloudsProps = { space: string; api: CairnApi; state: SpaceState; say: Say };

/** Rows of a list. */
export function Clouds({ space, api, state, say }: CloudsProps): JSX.Element[] {
  const remove = (layer: number) => {
    api.removeLayer(space, layer).catch((error: unknown) => say("Not removed", inWords(error), "bad"));
  };
  return shownLayers(state)
    .filter(({ kind }) => kind === "import")
    .map(({ layer, name, points }) => (
      <Cloud
        key={`layer-${layer}`}
        name={name || `Point cloud ${layer}`}
        points={count(points, "point")}
        onRemove={() => remove(layer)}
      />
    ));
}

type CloudProps = { name: string; points: string; onRemove(): void };

function Cloud({ name, points, onRemove }: CloudProps): JSX.Element {
  const [asking, setAsking] = useState(false);
  return (
    <li className="placed">
      <div className="row">
        <span className="no-picture">
          <Icon name="cloud" />
        </span>
        <span className="photo-text">
          <span className="photo-name" title={name}>
            {name}
          </span>
          <span className="photo-state">
            <i className="dot" aria-hidden="true" />
            {points}
          </span>
        </span>
        <button type="button" className="icon-button" aria-label={`Remove ${name}`} onClick={() => setAsking(true)}>
          <Icon name="trash" />
        </button>
      </div>
      {asking && (
        <Dialog title={`Remove “${name}”?`} onClose={() => setAsking(false)}>
          <p>Its {points} go for everyone. Add the file again to bring them back.</p>
          <div className="actions">
            <button type="button" className="button" onClick={() => setAsking(false)}>
              Keep it
            </button>
            <button
              type="button"
              className="button danger"
              onClick={() => {
                setAsking(false);
                onRemove();
              }}
            >
              Remove
            </button>
          </div>
        </Dialog>
      )}
    </li>
  );
}
