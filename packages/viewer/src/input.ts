/**
 * Mouse, touch and keys to movements: left drag or one finger turns, right drag, Shift or two fingers move, wheel or
 * pinch zooms to where it points, double click or double tap sets the pivot, F frames, arrows turn, + and − zoom.
 */

export type InputTarget = {
  rotate(rightPx: number, upPx: number): void;
  pan(rightPx: number, downPx: number): void;
  zoom(factor: number, xPx: number, yPx: number): void;
  pivot(xPx: number, yPx: number): void;
  frame(): void;
  /** A finger or a button is down, or no longer. */
  hold(held: boolean): void;
  hover(at: { xPx: number; yPx: number } | undefined): void;
  click(xPx: number, yPx: number): void;
};

const CLICK_SLACK_PX = 5;
const DOUBLE_TAP_MS = 320;
const DOUBLE_TAP_PX = 28;

/** Listens until `signal` aborts. Pixels are CSS pixels from the canvas' upper left corner. */
export function listen(canvas: HTMLCanvasElement, target: InputTarget, signal: AbortSignal): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelledPx = 0;
  let panning = false;
  let lastTap = { ms: -Infinity, x: 0, y: 0 };
  const options = { signal };
  canvas.style.touchAction = "none"; // else the browser takes fingers for itself as soon as they move

  const place = (event: PointerEvent | MouseEvent) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const middle = () => {
    const [a, b] = [...pointers.values()];
    if (!a || !b) return undefined;
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
  };

  canvas.addEventListener(
    "pointerdown",
    (event) => {
      if (pointers.size >= 2) return;
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
      target.hold(true);
      if (pointers.size === 1) {
        travelledPx = 0;
        panning = event.button !== 0 || event.shiftKey;
      } else travelledPx = Infinity;
      target.hover(undefined);
    },
    options,
  );

  canvas.addEventListener(
    "pointermove",
    (event) => {
      const before = pointers.get(event.pointerId);
      const now = place(event);
      if (!before) {
        if (event.pointerType === "mouse") target.hover({ xPx: now.x, yPx: now.y });
        return;
      }
      const pair = middle();
      pointers.set(event.pointerId, now);
      if (pair) {
        const after = middle()!;
        target.pan(after.x - pair.x, after.y - pair.y);
        target.zoom(pair.apart / after.apart, after.x, after.y);
        return;
      }
      const [dx, dy] = [now.x - before.x, now.y - before.y];
      travelledPx += Math.hypot(dx, dy);
      if (travelledPx < CLICK_SLACK_PX) return;
      if (panning) target.pan(dx, dy);
      else target.rotate(dx, dy);
    },
    options,
  );

  const release = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    target.hold(pointers.size > 0);
    if (event.type !== "pointerup" || pointers.size > 0 || travelledPx >= CLICK_SLACK_PX || event.button !== 0) return;
    const { x, y } = place(event);
    const near = Math.hypot(x - lastTap.x, y - lastTap.y) < DOUBLE_TAP_PX;
    if (near && event.timeStamp - lastTap.ms < DOUBLE_TAP_MS) {
      lastTap = { ms: -Infinity, x, y };
      target.pivot(x, y);
      return;
    }
    lastTap = { ms: event.timeStamp, x, y };
    target.click(x, y);
  };
  canvas.addEventListener("pointerup", release, options);
  canvas.addEventListener("pointercancel", release, options);
  canvas.addEventListener("pointerleave", () => target.hover(undefined), options);
  canvas.addEventListener("contextmenu", (event) => event.preventDefault(), options);

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      // Lines and pages to pixels; a pinch on a touchpad comes as a wheel with Ctrl and small steps.
      const stepPx = event.deltaY * (event.deltaMode === 1 ? 18 : event.deltaMode === 2 ? 400 : 1);
      const bounded = Math.max(-240, Math.min(240, stepPx));
      target.zoom(Math.exp(bounded * (event.ctrlKey ? 0.01 : 0.0014)), x, y);
    },
    { signal, passive: false },
  );

  canvas.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [middleX, middleY] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
      const actions: Record<string, () => void> = {
        ArrowLeft: () => (event.shiftKey ? target.pan(40, 0) : target.rotate(-40, 0)),
        ArrowRight: () => (event.shiftKey ? target.pan(-40, 0) : target.rotate(40, 0)),
        ArrowUp: () => (event.shiftKey ? target.pan(0, 40) : target.rotate(0, -40)),
        ArrowDown: () => (event.shiftKey ? target.pan(0, -40) : target.rotate(0, 40)),
        "+": () => target.zoom(0.85, middleX, middleY),
        "=": () => target.zoom(0.85, middleX, middleY),
        "-": () => target.zoom(1 / 0.85, middleX, middleY),
      };
      const action = actions[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    },
    options,
  );

  canvas.ownerDocument.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "f" && event.key !== "F") return;
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      target.frame();
    },
    options,
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
