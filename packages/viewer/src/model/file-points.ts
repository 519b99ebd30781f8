/** How points of a file are drawn: round, as large as they lie apart, and shaded by the eye-dome pass like a space's. */
import { GLSL3, RawShaderMaterial } from "three";

const VERTEX = `precision highp float;
uniform mat4 modelViewMatrix, projectionMatrix;
uniform float uSpacing, uSizePx, uMinPx, uMaxPx;
in vec3 position;
in vec3 color;
out vec3 vColor;
out float vDepth;
void main() {
  vec4 eye = modelViewMatrix * vec4(position, 1.0);
  gl_Position = projectionMatrix * eye;
  vDepth = -eye.z;
  gl_PointSize = clamp(uSpacing * uSizePx / max(vDepth, 1e-6), uMinPx, uMaxPx);
  // Loaders hand out linear colours; the passes that follow work on those of the screen.
  vec3 linear = clamp(color, 0.0, 1.0);
  vColor = mix(linear * 12.92, pow(linear, vec3(1.0 / 2.4)) * 1.055 - 0.055, step(0.0031308, linear));
}`;

const FRAGMENT = `precision highp float;
in vec3 vColor;
in float vDepth;
layout(location = 0) out vec4 fragment;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (dot(p, p) > 1.0) discard;
#ifdef FLAT
  fragment = vec4(vColor, 1.0);
#else
  fragment = vec4(vColor, log2(vDepth) + 64.0);
#endif
}`;

/** @param flat straight to the screen, for machines that cannot draw into floats */
export function filePointsMaterial(flat: boolean): RawShaderMaterial {
  return new RawShaderMaterial({
    glslVersion: GLSL3,
    vertexShader: VERTEX,
    fragmentShader: FRAGMENT,
    defines: flat ? { FLAT: "" } : {},
    uniforms: { uSpacing: { value: 0 }, uSizePx: { value: 1 }, uMinPx: { value: 2 }, uMaxPx: { value: 24 } },
  });
}
