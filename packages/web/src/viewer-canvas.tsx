/** The canvas. React decides what is shown, never when to draw: the viewer follows the connection on its own. */
import type { SpaceConnection } from "@cairn/client";
import type { Viewer, ViewerStats } from "@cairn/viewer";
import { type JSX, useEffect, useRef, useState } from "react";
import { canvasLabel, openCanvas } from "./canvas-3d.ts";
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
    const show = (view: Viewer | undefined) => {
      view?.follow(connection);
      onViewer(view);
    };
    return openCanvas({
      holder: holder.current,
      async load() {
        const { createViewer } = await import("@cairn/viewer");
        return (canvas) => {
          canvas.setAttribute("aria-busy", "true");
          return createViewer(canvas, {
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
        };
      },
      onView: show,
      onProblem: setProblem,
    });
  }, [connection, mostPoints, onViewer, onHover, onSelect, onStats]);

  useEffect(() => {
    const canvas = holder.current?.querySelector("canvas");
    const { points, cameras } = stats ?? { points: 0, cameras: 0 };
    canvas?.setAttribute("aria-label", canvasLabel(`${count(points, "point")}, ${count(cameras, "camera")}`));
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
