/** Keeps the scene beside what lies over its canvas: a panel at the side of a wide window, a sheet at the bottom of a phone. */
import type { Viewer } from "@cairn/viewer";
import { useEffect } from "react";

/** Up to this width the panel is a sheet at the bottom; style.css says the same. */
export const PHONE_PX = 720;
/** From this width on there is room for the scene between two panels. */
const WIDE_PX = 1000;
/** Of the bar, and of the folded and the open sheet. */
const [BAR_PX, FOLDED_PX, OPEN_PART] = [52, 64, 0.58];

type Room = {
  /** The panel or sheet is unfolded. */
  open: boolean;
  /** Width of the panel with the gap beside it. */
  panelPx: number;
  /** Of what lies over the left side, where there is room for that. */
  leftPx?: number;
  /** What stands below the bar on a phone. */
  belowBarPx?: number;
};

export function useInsets(
  view: Pick<Viewer, "setInsets"> | undefined,
  { open, panelPx, leftPx = 0, belowBarPx = 0 }: Room,
): void {
  useEffect(() => {
    const fit = () => {
      const phone = innerWidth <= PHONE_PX;
      view?.setInsets({
        top: phone ? BAR_PX + belowBarPx : BAR_PX,
        left: innerWidth > WIDE_PX ? leftPx : 0,
        right: !phone && open ? panelPx : 0,
        bottom: phone ? (open ? innerHeight * OPEN_PART : FOLDED_PX) : 0,
      });
    };
    fit();
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, [view, open, panelPx, leftPx, belowBarPx]);
}
