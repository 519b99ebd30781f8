/** Lines of a few pixels' width, one instanced draw call for all: what cameras and their ways are drawn with. */
import {
  BufferAttribute,
  DynamicDrawUsage,
  GLSL3,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  Mesh,
  NormalBlending,
  RawShaderMaterial,
  Vector2,
} from "three";
import { LINE_FRAGMENT, LINE_VERTEX } from "./shaders.ts";
import type { Viewport } from "./viewport.ts";

const WIDTH_PX = 1.35;

export type LineMesh = Mesh<InstancedBufferGeometry, RawShaderMaterial>;

export function lineMesh(): LineMesh {
  const material = new RawShaderMaterial({
    glslVersion: GLSL3,
    vertexShader: LINE_VERTEX,
    fragmentShader: LINE_FRAGMENT,
    transparent: true,
    depthWrite: false,
    blending: NormalBlending,
    uniforms: { uScreenPx: { value: new Vector2(1, 1) }, uWidthPx: { value: WIDTH_PX }, uNear: { value: 0.01 } },
  });
  const mesh = new Mesh(lineGeometry(0), material);
  mesh.frustumCulled = false;
  mesh.matrixAutoUpdate = false;
  return mesh;
}

/** Makes room for exactly so many: attributes `lineStart`, `lineEnd` (xyz) and `lineColor` (rgba, above 1: wider). */
export function resizeLines(mesh: LineMesh, lines: number): void {
  if (mesh.geometry.instanceCount === lines) return;
  mesh.geometry.dispose();
  mesh.geometry = lineGeometry(lines);
}

/** Once a picture: width and depth are told in its pixels. */
export function fitLines(mesh: LineMesh, { width, height, pixelRatio, camera }: Viewport): void {
  const { uScreenPx, uWidthPx, uNear } = mesh.material.uniforms;
  uScreenPx!.value.set((width * pixelRatio) / 2, (height * pixelRatio) / 2);
  uWidthPx!.value = WIDTH_PX * pixelRatio;
  uNear!.value = camera.near;
}

export function disposeLines(mesh: LineMesh): void {
  mesh.removeFromParent();
  mesh.geometry.dispose();
  mesh.material.dispose();
}

function lineGeometry(lines: number): InstancedBufferGeometry {
  const geometry = new InstancedBufferGeometry();
  const corners = new Float32Array([0, -0.5, 0, 1, -0.5, 0, 1, 0.5, 0, 0, -0.5, 0, 1, 0.5, 0, 0, 0.5, 0]);
  geometry.setAttribute("position", new BufferAttribute(corners, 3));
  const add = (name: string, size: number) => {
    const attribute = new InstancedBufferAttribute(new Float32Array(lines * size), size);
    geometry.setAttribute(name, attribute.setUsage(DynamicDrawUsage));
  };
  add("lineStart", 3);
  add("lineEnd", 3);
  add("lineColor", 4);
  geometry.instanceCount = lines;
  return geometry;
}
