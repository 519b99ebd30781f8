/** A canvas with something in 3D on it, for as long as a component is mounted; and in words, why there is none. */

const NO_WEBGL =
  "No 3D here: this browser offers no WebGL 2. Turn on hardware acceleration in its settings, or open this page in another browser. All the rest works.";
const NOT_LOADED = "The 3D view could not be loaded. Check the connection, then reload the page.";

type Canvas3d<View> = {
  holder: HTMLElement | null;
  /** Fetches the code; what it gives makes the view, and throws where the browser has no WebGL 2. */
  load(): Promise<(canvas: HTMLCanvasElement) => View>;
  /** `undefined`: it has gone. */
  onView(view: View | undefined): void;
  onProblem(text: string): void;
};

/** @returns takes it away again */
export function openCanvas<View extends { dispose(): void }>({
  holder,
  load,
  onView,
  onProblem,
}: Canvas3d<View>): () => void {
  let gone = false;
  let view: View | undefined;
  // A canvas keeps its context for ever, so each view gets its own.
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "3D view");
  holder?.append(canvas);
  const show = (make: (canvas: HTMLCanvasElement) => View) => {
    if (gone) return;
    try {
      view = make(canvas);
    } catch {
      onProblem(NO_WEBGL);
      return;
    }
    onView(view);
  };
  void load().then(show, () => {
    if (!gone) onProblem(NOT_LOADED);
  });
  return () => {
    gone = true;
    onView(undefined);
    view?.dispose();
    canvas.remove();
  };
}

/** @param shown "3 points" and the like @returns what the canvas is called by those who hear the page */
export function canvasLabel(shown: string): string {
  return `3D view: ${shown}. Arrow keys turn, Shift and arrows move, plus and minus zoom, F frames.`;
}
