/** The canvas for files. React says what is shown, never when to draw. */
import type { ModelStats, ModelView } from "@cairn/viewer/model";
import { type JSX, useEffect, useRef, useState } from "react";
import { canvasLabel, openCanvas } from "../../canvas-3d.ts";
import { useInsets } from "../../use-insets.ts";
import { count } from "../../words.ts";

const PANEL_GAP_PX = 12;

type ModelCanvasProps = {
  onView(view: ModelView | undefined): void;
  /** The panel over the canvas is unfolded; its width where it is at the side. */
  panelOpen: boolean;
  panelPx: number;
  /** Of what lies over its left side, where there is room for that; 0: nothing. */
  leftPx?: number;
};

export function ModelCanvas({ onView, panelOpen, panelPx, leftPx = 0 }: ModelCanvasProps): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const [view, setView] = useState<ModelView>();
  const [stats, setStats] = useState<ModelStats>({ points: 0, triangles: 0 });
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    const show = (next: ModelView | undefined) => {
      setView(next);
      onView(next);
    };
    return openCanvas({
      holder: holder.current,
      async load() {
        const { createModelView } = await import("@cairn/viewer/model");
        return (canvas) => createModelView(canvas, setStats);
      },
      onView: show,
      onProblem: setProblem,
    });
  }, [onView]);

  useInsets(view, { open: panelOpen, panelPx: panelPx + PANEL_GAP_PX, leftPx });

  useEffect(() => {
    const { points, triangles } = stats;
    const shown = [points > 0 && count(points, "point"), triangles > 0 && count(triangles, "face")].filter(Boolean);
    const label = canvasLabel(shown.join(", ") || "nothing yet");
    holder.current?.querySelector("canvas")?.setAttribute("aria-label", label);
  }, [stats]);

  return (
    <>
      <div ref={holder} className="canvas" />
      {problem && (
        <p className="problem floating" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}
