/** Everything that a space can be saved as, with about how large it will be where that can be told. */
import { type SpaceState, shownGeneration } from "@cairn/protocol";
import { Fragment, type JSX } from "react";
import { Menu } from "./menu.tsx";
import { modelOf, sizeInWords } from "./words.ts";

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

export function ExportMenu({ space, state }: { space: string; state: SpaceState }): JSX.Element {
  const { points, cameras } = modelOf(state);
  const hasModel = shownGeneration(state)?.published?.model !== undefined;
  const href = (format: string) => `./v1/spaces/${encodeURIComponent(space)}/exports/${format}`;
  const item = (format: string, name: string, note: string) => (
    <a key={format} className="menu-item" href={href(format)} download>
      <strong>{name}</strong> <span>{note}</span>
    </a>
  );
  return (
    <Menu label="Export" icon="download" disabled={points === 0 && cameras === 0}>
      {points > 0 &&
        POINTS.map(({ format, name, note, pointBytes }) =>
          item(format, name, `${note} · about ${sizeInWords(points * pointBytes)}`),
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
