/** The canvas for files. React says what is shown, never when to draw. */
import type { ModelStats, ModelView } from "@cairn/viewer/model";
import { type JSX, useEffect, useRef, useState } from "react";
import { count } from "../../words.ts";

/** Up to this width the panel is a sheet at the bottom; style.css says the same. */
export const PHONE_PX = 720;
/** From this width on there is room for the model between two panels. */
const WIDE_PX = 1000;

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
    let gone = false;
    let made: ModelView | undefined;
    // A canvas keeps its context for ever, so each view gets its own.
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "3D view");
    holder.current?.append(canvas);
    void import("@cairn/viewer/model")
      .then(({ createModelView }) => {
        if (gone) return;
        made = createModelView(canvas, setStats);
        setView(made);
        onView(made);
      })
      .catch(() => setProblem("This browser offers no WebGL 2, so nothing can be shown in 3D. The rest still works."));
    return () => {
      gone = true;
      setView(undefined);
      onView(undefined);
      made?.dispose();
      canvas.remove();
    };
  }, [onView]);

  useEffect(() => {
    const fit = () => {
      const phone = innerWidth <= PHONE_PX;
      const right = !phone && panelOpen ? panelPx + 12 : 0;
      const bottom = phone ? (panelOpen ? innerHeight * 0.58 : 64) : 0;
      view?.setInsets({ top: 52, left: innerWidth > WIDE_PX ? leftPx : 0, right, bottom });
    };
    fit();
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, [view, panelOpen, panelPx, leftPx]);

  useEffect(() => {
    const { points, triangles } = stats;
    const shown = [points > 0 && count(points, "point"), triangles > 0 && count(triangles, "face")].filter(Boolean);
    const help = "Arrow keys turn, Shift and arrows move, plus and minus zoom, F frames.";
    const label = `3D view: ${shown.join(", ") || "nothing yet"}. ${help}`;
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
