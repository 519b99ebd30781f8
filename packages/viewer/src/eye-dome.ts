/** Draws points with eye-dome lighting: first colour and log depth into a float target, then shaded to the screen. */
import {
  type Camera,
  FloatType,
  GLSL3,
  Mesh,
  NearestFilter,
  OrthographicCamera,
  PlaneGeometry,
  RawShaderMaterial,
  Scene,
  Vector2,
  type Vector3,
  type WebGLRenderer,
  WebGLRenderTarget,
} from "three";
import { EYE_DOME_FRAGMENT, SCREEN_VERTEX } from "./shaders.ts";

export class EyeDome {
  // Half floats would show bands: 11 bits of log depth are centimetres at ten metres.
  readonly #target = new WebGLRenderTarget(1, 1, {
    type: FloatType,
    minFilter: NearestFilter,
    magFilter: NearestFilter,
    generateMipmaps: false,
  });
  readonly #screen = new Scene();
  readonly #material: RawShaderMaterial;
  readonly #plane = new PlaneGeometry(2, 2);
  readonly #camera: Camera = new OrthographicCamera();

  /** @param low @param high the background's colours, sRGB 0…1 */
  constructor(low: Vector3, high: Vector3) {
    this.#material = new RawShaderMaterial({
      glslVersion: GLSL3,
      vertexShader: SCREEN_VERTEX,
      fragmentShader: EYE_DOME_FRAGMENT,
      depthFunc: 1, // always: it is the first thing on the screen
      uniforms: {
        uPoints: { value: this.#target.texture },
        uStep: { value: new Vector2() },
        uStrength: { value: 55 },
        uNear: { value: 1 },
        uFar: { value: 2 },
        uLow: { value: low },
        uHigh: { value: high },
      },
    });
    const quad = new Mesh(this.#plane, this.#material);
    quad.frustumCulled = false;
    this.#screen.add(quad);
  }

  /** @param drawPoints draws into the target that is bound, with WebGL of its own */
  render(
    renderer: WebGLRenderer,
    { near, far }: { near: number; far: number },
    pixelRatio: number,
    drawPoints: () => void,
  ): void {
    const size = renderer.getDrawingBufferSize(new Vector2());
    if (this.#target.width !== size.x || this.#target.height !== size.y) this.#target.setSize(size.x, size.y);
    renderer.setRenderTarget(this.#target);
    renderer.setClearColor(0x000000, 0);
    renderer.clear();
    drawPoints();
    renderer.resetState();
    renderer.setRenderTarget(null);
    const { uStep, uNear, uFar } = this.#material.uniforms as Record<string, { value: unknown }>;
    (uStep!.value as Vector2).set((1.3 * pixelRatio) / size.x, (1.3 * pixelRatio) / size.y);
    uNear!.value = near;
    uFar!.value = far;
    renderer.render(this.#screen, this.#camera);
  }

  dispose(): void {
    this.#target.dispose();
    this.#material.dispose();
    this.#plane.dispose();
  }
}
