/** The canvas. React decides what is shown, never when to draw: the viewer follows the connection on its own. */
import type { SpaceConnection } from "@cairn/client";
import type { Viewer, ViewerStats } from "@cairn/viewer";
import { type JSX, useEffect, useRef, useState } from "react";
import { count, loading } from "./words.ts";

export type Hover = { image: string; xPx: number; yPx: number };

type ViewerCanvasProps = {
  connection: SpaceConnection;
  /** At most so many points, where the machine has other things to do; left out: as many as it draws smoothly. */
  mostPoints?: number;
  onViewer(viewer: Viewer | undefined): void;
  onHover(hover: Hover | undefined): void;
  onSelect(image: string | undefined): void;
  onStats(stats: ViewerStats): void;
};

export function ViewerCanvas(props: ViewerCanvasProps): JSX.Element {
  const { connection, mostPoints, onViewer, onHover, onSelect, onStats } = props;
  const holder = useRef<HTMLDivElement>(null);
  const [stats, setStats] = useState<ViewerStats>();
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    let gone = false;
    let viewer: Viewer | undefined;
    // A canvas keeps its context for ever, so each viewer gets its own.
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "3D view");
    canvas.setAttribute("aria-busy", "true");
    holder.current?.append(canvas);
    void import("@cairn/viewer")
      .then(({ createViewer }) => {
        if (gone) return;
        viewer = createViewer(canvas, {
          ...(mostPoints !== undefined && { startPoints: mostPoints, mostPoints }),
          onStats: (next) => {
            setStats(next);
            onStats(next);
          },
          onStill: (still) => canvas.setAttribute("aria-busy", String(!still)),
          onHover,
          onSelect,
          onContext: (restored) =>
            setProblem(restored ? undefined : "The graphics driver took a break; waiting for it."),
        });
        viewer.follow(connection);
        onViewer(viewer);
      })
      .catch(() => setProblem("This browser offers no WebGL 2, so the model cannot be shown. Photos still work."));
    return () => {
      gone = true;
      onViewer(undefined);
      viewer?.dispose();
      canvas.remove();
    };
  }, [connection, mostPoints, onViewer, onHover, onSelect, onStats]);

  useEffect(() => {
    const canvas = holder.current?.querySelector("canvas");
    const { points, cameras } = stats ?? { points: 0, cameras: 0 };
    const help = "Arrow keys turn, Shift and arrows move, plus and minus zoom, F frames.";
    canvas?.setAttribute("aria-label", `3D view: ${count(points, "point")}, ${count(cameras, "camera")}. ${help}`);
  }, [stats]);

  return (
    <>
      <div ref={holder} className="canvas" />
      {stats !== undefined && stats.loaded + stats.failed < stats.wanted && (
        <div className="loading" aria-hidden="true">
          <i style={{ scale: `${stats.loaded / stats.wanted} 1` }} />
          <span>{loading(stats.loaded, stats.wanted)}</span>
        </div>
      )}
      {stats !== undefined && stats.failed > 0 && (
        <p className="problem calm floating" role="status">
          {count(stats.failed, "point")} of this view cannot be loaded: the server's copy is damaged. All others are
          shown.
        </p>
      )}
      {problem && (
        <p className="problem floating" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}
