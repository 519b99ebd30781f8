/**
 * What a canvas shows: points first, shaded by their depth where the GPU can, then what is drawn over them. The GPU's
 * context may be lost, and come back.
 */
import { type Camera, type Object3D, Vector3, WebGLRenderer } from "three";
import { EyeDome } from "./eye-dome.ts";
import type { Viewport } from "./viewport.ts";

const LOW = new Vector3(0.035, 0.043, 0.055);
const HIGH = new Vector3(0.082, 0.1, 0.125);
const PLAIN = 0x0d1117;

export class Picture {
  /** There is no context to draw with. */
  lost = false;
  readonly #renderer: WebGLRenderer;
  readonly #eyeDome: EyeDome | undefined;

  /**
   * @param onContext told when the context is lost (`false`) or back (`true`), until `signal` aborts
   * @throws {Error} when the browser has no WebGL 2
   */
  constructor(canvas: HTMLCanvasElement, onContext: (restored: boolean) => void, signal: AbortSignal) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: false, powerPreference: "high-performance" });
    this.#renderer.autoClear = false;
    const shades = this.#renderer.extensions.has("EXT_color_buffer_float");
    this.#eyeDome = shades ? new EyeDome(LOW, HIGH) : undefined;
    const told = (restored: boolean) => (event: Event) => {
      if (!restored) event.preventDefault(); // says that we want it back
      this.lost = !restored;
      onContext(restored);
    };
    canvas.addEventListener("webglcontextlost", told(false), { signal });
    canvas.addEventListener("webglcontextrestored", told(true), { signal });
  }

  get gl(): WebGL2RenderingContext {
    return this.#renderer.getContext() as WebGL2RenderingContext;
  }

  /** Points are shaded by their depth; where the GPU cannot, their edges are all that tells one from another. */
  get shaded(): boolean {
    return this.#eyeDome !== undefined;
  }

  resize({ width, height, pixelRatio }: Viewport): void {
    this.#renderer.setPixelRatio(pixelRatio);
    this.#renderer.setSize(width, height, false);
  }

  /** Begins a picture. @param points draws them, with three or behind its back */
  drawPoints({ camera, pixelRatio }: Viewport, points: () => void): void {
    if (this.#eyeDome) {
      this.#eyeDome.render(this.#renderer, camera, pixelRatio, points);
      return;
    }
    this.#renderer.setRenderTarget(null);
    this.#renderer.setClearColor(PLAIN, 1);
    this.#renderer.clear();
    points();
    this.forget();
  }

  draw(scene: Object3D, camera: Camera): void {
    this.#renderer.render(scene, camera);
  }

  /** Something was drawn behind three's back. */
  forget(): void {
    this.#renderer.resetState();
  }

  dispose(): void {
    this.#eyeDome?.dispose();
    this.#renderer.dispose();
  }

  /** Hands the context back at once: browsers let a page have only a few. */
  giveUp(): void {
    this.dispose();
    this.#renderer.forceContextLoss();
  }
}
