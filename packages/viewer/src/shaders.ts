/**
 * GLSL of the three passes: points into a target of colour and log₂ depth, eye-dome lighting from it to the screen,
 * and lines over that. Colours are sRGB from byte to screen: nothing here converts, and blending is off but for lines.
 */

/** `uFreshFrom`: index of the first point that is still fading in; `uFresh` 0…1 how far. */
export const POINT_VERTEX = `precision highp float;
uniform mat4 modelViewMatrix, projectionMatrix;
uniform float uSize, uPxPerUnit, uMinPx, uMaxPx, uFreshFrom, uFresh;
in vec3 position;
in vec4 color;
out vec3 vColor;
out float vDepth;
void main() {
  vec4 eye = modelViewMatrix * vec4(position, 1.0);
  gl_Position = projectionMatrix * eye;
  vDepth = -eye.z;
  float grown = float(gl_VertexID) >= uFreshFrom ? uFresh : 1.0;
  gl_PointSize = clamp(uSize * uPxPerUnit / max(vDepth, 1e-6), uMinPx, uMaxPx) * grown;
  vColor = mix(vec3(0.36, 0.86, 0.94), color.rgb, grown);
}`;

export const POINT_FRAGMENT = `precision highp float;
in vec3 vColor;
in float vDepth;
layout(location = 0) out vec4 fragment;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (dot(p, p) > 1.0) discard;
  fragment = vec4(vColor, log2(vDepth) + 64.0);
}`;

export const SCREEN_VERTEX = `precision highp float;
in vec3 position;
out vec2 vUv;
void main() {
  vUv = position.xy * 0.5 + 0.5;
  gl_Position = vec4(position.xy, 0.0, 1.0);
}`;

/**
 * Eye-dome lighting (Boucheny 2009): a pixel is darkened by how far it lies behind its neighbours, in log depth.
 * Empty neighbours do not darken, else each lone point of a sparse cloud would get a black rim.
 * Also writes depth, so that lines drawn afterwards go behind points.
 */
export const EYE_DOME_FRAGMENT = `precision highp float;
uniform sampler2D uPoints;
uniform vec2 uStep;
uniform float uStrength, uNear, uFar;
uniform vec3 uLow, uHigh;
in vec2 vUv;
layout(location = 0) out vec4 fragment;
void main() {
  vec4 here = texture(uPoints, vUv);
  if (here.a == 0.0) {
    float vignette = smoothstep(0.95, 0.1, distance(vUv, vec2(0.5, 0.42)));
    // A grey of noise hides the steps that so slight a gradient has in 8 bits.
    float noise = fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453) / 255.0;
    fragment = vec4(mix(uLow, uHigh, vignette) + noise, 1.0);
    gl_FragDepth = 1.0;
    return;
  }
  float shade = 0.0;
  for (int i = 0; i < 8; i++) {
    float angle = float(i) * 0.785398;
    float depth = texture(uPoints, vUv + vec2(cos(angle), sin(angle)) * uStep).a;
    if (depth != 0.0) shade += max(0.0, here.a - depth);
  }
  fragment = vec4(here.rgb * exp(-min(shade / 8.0 * uStrength, 1.4)), 1.0);
  float z = exp2(here.a - 64.0);
  gl_FragDepth = clamp((uFar + uNear - 2.0 * uNear * uFar / z) / (uFar - uNear) * 0.5 + 0.5, 0.0, 1.0);
}`;

/** One instance a line: a quad of `uWidthPx` along it on the screen, cut at the near plane. */
export const LINE_VERTEX = `precision highp float;
uniform mat4 modelViewMatrix, projectionMatrix;
uniform vec2 uScreenPx;
uniform float uWidthPx, uNear;
in vec3 position;
in vec3 lineStart, lineEnd;
in vec4 lineColor;
out vec4 vColor;
void main() {
  vec4 a = modelViewMatrix * vec4(lineStart, 1.0);
  vec4 b = modelViewMatrix * vec4(lineEnd, 1.0);
  if (a.z > -uNear && b.z < -uNear) a = mix(a, b, (a.z + uNear) / (a.z - b.z));
  else if (b.z > -uNear && a.z < -uNear) b = mix(b, a, (b.z + uNear) / (b.z - a.z));
  vec4 clipA = projectionMatrix * a;
  vec4 clipB = projectionMatrix * b;
  vec2 along = (clipB.xy / clipB.w - clipA.xy / clipA.w) * uScreenPx;
  vec2 across = length(along) > 1e-6 ? normalize(vec2(-along.y, along.x)) : vec2(0.0, 1.0);
  vec4 clip = position.x < 0.5 ? clipA : clipB;
  // A highlighted line (alpha over 1) is drawn wider.
  float width = uWidthPx * max(1.0, lineColor.a);
  clip.xy += across * position.y * width / uScreenPx * clip.w;
  gl_Position = a.z > -uNear && b.z > -uNear ? vec4(0.0, 0.0, 2.0, 1.0) : clip;
  vColor = vec4(lineColor.rgb, min(1.0, lineColor.a));
}`;

export const LINE_FRAGMENT = `precision highp float;
in vec4 vColor;
layout(location = 0) out vec4 fragment;
void main() { fragment = vColor; }`;
