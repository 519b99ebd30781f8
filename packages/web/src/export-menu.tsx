/** Everything that a space can be saved as, with about how large it will be where that can be told. */
import type { CairnApi } from "@cairn/client";
import { type Digest, type SpaceState, shownGeneration } from "@cairn/protocol";
import { Fragment, type JSX, useEffect, useState } from "react";
import { Menu } from "./menu.tsx";
import type { Say } from "./toast-list.tsx";
import { withToken } from "./token.ts";
import { inWords, modelOf, sizeInWords } from "./words.ts";

/** `pointBytes`: what a point takes in the file, before what the format itself needs. */
const POINTS = [
  { format: "ply", name: "Point cloud", note: "PLY", pointBytes: 15 },
  { format: "las14", name: "Survey", note: "LAS 1.4", pointBytes: 36 },
  { format: "las", name: "Survey, older programs", note: "LAS 1.2", pointBytes: 26 },
  { format: "glb", name: "glTF", note: "GLB", pointBytes: 16 },
  { format: "3dtiles", name: "3D Tiles", note: "zip", pointBytes: 7 },
  { format: "csv", name: "Table", note: "CSV", pointBytes: 42 },
] as const;

const CAMERAS = [
  { format: "colmap", name: "COLMAP", note: "text, zip" },
  { format: "colmap-bin", name: "COLMAP", note: "binary, zip" },
  { format: "nerfstudio", name: "nerfstudio", note: "with photos, zip" },
] as const;

/** Made first, with a card that says how far it is, then saved. */
const MESHES = [
  { format: "mesh-glb", name: "Mesh", note: "GLB, with colours" },
  { format: "mesh-obj", name: "Mesh", note: "OBJ, with colours" },
  { format: "mesh-ply", name: "Mesh", note: "PLY, with colours" },
  { format: "mesh-stl", name: "Mesh", note: "STL, for printing" },
] as const;

type ExportMenuProps = {
  space: string;
  api: CairnApi;
  token: string | undefined;
  state: SpaceState;
  say: Say;
};

export function ExportMenu({ space, api, token, state, say }: ExportMenuProps): JSX.Element {
  const make = useMadeFiles({ space, api, token, state, say });
  const { points, cameras } = modelOf(state);
  const hasModel = shownGeneration(state)?.published?.model !== undefined;
  const notYet = points === 0 && cameras === 0 ? "There is nothing to save yet" : undefined;
  const href = (format: string) => withToken(`./v1/spaces/${encodeURIComponent(space)}/exports/${format}`, token);
  const item = (format: string, name: string, note: string) => (
    <a key={format} className="menu-item" href={href(format)} download>
      <strong>{name}</strong> <span>{note}</span>
    </a>
  );
  return (
    <Menu label="Export" icon="download" notYet={notYet}>
      {points > 0 &&
        POINTS.map(({ format, name, note, pointBytes }) =>
          item(format, name, `${note} · about ${sizeInWords(points * pointBytes)}`),
        )}
      {points > 0 && (
        <Fragment>
          <hr />
          {MESHES.map(({ format, name, note }) => (
            <button key={format} type="button" className="menu-item" onClick={() => make(format)}>
              <strong>{name}</strong> <span>{note}</span>
            </button>
          ))}
        </Fragment>
      )}
      {cameras > 0 && (
        <Fragment>
          {points > 0 && <hr />}
          {CAMERAS.filter(({ format }) => hasModel || format === "nerfstudio").map(({ format, name, note }) =>
            item(format, name, note),
          )}
        </Fragment>
      )}
    </Menu>
  );
}

/** Starts what has to be made before it can be saved, and saves it in this page when it is there. */
function useMadeFiles({ space, api, token, state, say }: ExportMenuProps): (format: string) => void {
  const { operations } = state;
  const [waiting, setWaiting] = useState<readonly string[]>([]);
  // After every rendering: the state is one object that events change in place.
  useEffect(() => {
    for (const id of waiting) {
      const { status, endedNs, result, error } = operations[id] ?? {};
      if (endedNs === undefined) continue;
      setWaiting((old) => old.filter((each) => each !== id));
      if (status === "completed" && result)
        save(withToken(api.blobUrl(result.digest as Digest), token), String(result.name));
      if (status === "failed") say("No mesh", error?.message, "bad");
    }
  });
  return (format) => {
    api.startExport(space, format).then(
      ({ operation }) => setWaiting((old) => [...old, operation]),
      (error: unknown) => say("No mesh", inWords(error), "bad"),
    );
  };
}

function save(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
