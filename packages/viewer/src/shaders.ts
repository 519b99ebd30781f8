/**
 * GLSL of the three passes: points into a target of colour and log₂ depth, eye-dome lighting from it to the screen,
 * and lines over that. Colours are sRGB from byte to screen: nothing here converts, and blending is off but for lines.
 */

/**
 * A point: its node's row gives where it is, the tree of drawn nodes how large. Positions are whole steps of the node, so
 * that they are exact wherever the model lies. `PICK`: what is drawn is who it is.
 */
const POINT_HEAD = `precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;`;

export const POINT_VERTEX = `${POINT_HEAD}
layout(location = 0) in uvec4 aPlace;
layout(location = 1) in vec4 aColor;
layout(location = 2) in uint aTag;
uniform mat4 uEyeFromLayer, uClipFromEye;
uniform sampler2D uSlots, uPhotos;
uniform usampler2D uTree;
uniform float uSizePx, uMinPx, uMaxPx, uDotPx, uNow;
uniform vec2 uFade;
uniform vec4 uUp;
uniform int uMode;
uniform uint uSlab;
uniform vec3 uRamp[6];
#ifdef PICK
flat out uvec4 vWho;
#endif
/** Colour and log₂ depth. */
flat out vec4 vDrawn;

vec3 ramp(float t) {
  float at = clamp(t, 0.0, 1.0) * 5.0;
  int i = min(4, int(at));
  return mix(uRamp[i], uRamp[i + 1], at - float(i));
}

float random(uint n) {
  n = (n ^ 61u) ^ (n >> 16u);
  n *= 9u;
  n ^= n >> 4u;
  n *= 0x27d4eb2du;
  n ^= n >> 15u;
  return float(n & 0xffffu) / 65536.0;
}

void main() {
  int at = int(aPlace.w) * 2; // SLOT_TEXELS; both textures are 1024 wide
  vec4 box = texelFetch(uSlots, ivec2(at & 1023, at >> 10), 0);
  vec4 node = texelFetch(uSlots, ivec2((at + 1) & 1023, (at + 1) >> 10), 0);
  vec3 local = (vec3(aPlace.xyz) + 0.5) * node.x;
  vec3 place = box.xyz + local;
  vec4 eye = uEyeFromLayer * vec4(place, 1.0);
  gl_Position = uClipFromEye * eye;
  float depth = max(-eye.z, 1e-6);

  // The finest drawn node around the point.
  vec3 p = local / box.w;
  int row = int(node.y);
  uvec4 entry = texelFetch(uTree, ivec2(row & 1023, row >> 10), 0);
  uint octant = 0u;
  for (int level = 0; level < 24; level++) {
    uvec3 upper = uvec3(step(0.5, p));
    octant = upper.x | (upper.y << 1) | (upper.z << 2);
    uint mask = entry.r & 255u;
    if ((mask >> octant & 1u) == 0u) break;
    uint before = mask & ((1u << octant) - 1u);
    before = before - ((before >> 1) & 0x55u);
    before = (before & 0x33u) + ((before >> 2) & 0x33u);
    before = (before + (before >> 4)) & 15u;
    row = int((entry.r >> 16) + before);
    entry = texelFetch(uTree, ivec2(row & 1023, row >> 10), 0);
    p = fract(p * 2.0);
  }
  vec3 spacings = uintBitsToFloat(entry.gba);
  // Below zero: loose points, no larger than dots.
  vec2 most = mix(vec2(uMaxPx), vec2(min(uDotPx, uMaxPx)), lessThan(spacings.xy, vec2(0.0)));
  if ((entry.r >> 8 >> octant & 1u) == 1u) most = min(most, vec2(max(uMinPx, uDotPx * 0.5)));
  vec2 sizes = clamp(abs(spacings.xy) * uSizePx / depth, vec2(uMinPx), most);
  float size = mix(sizes.y, sizes.x, clamp((uNow - spacings.z) / 0.35, 0.0, 1.0));

  // Points that came last grow into their place; those that are new to the model also shine.
  float live = step(4096.0, node.w);
  bool newest = node.w == 0.0 || aTag >> 20 == uint(node.w - live * 4096.0);
  float grown = newest ? clamp((uNow - node.z) / 0.35, 0.0, 1.0) : 1.0;
  float shine = newest ? live * (1.0 - clamp((uNow - node.z) / 0.45, 0.0, 1.0)) : 0.0;
  gl_PointSize = size * mix(0.4, 1.0, grown);

  float chance = random(aTag ^ (aPlace.x * 0x9e37u + aPlace.y * 0x85ebu + aPlace.z * 0xc2b3u) ^ (aPlace.w << 16));
  if (chance < uFade.x || chance >= uFade.y) gl_Position = vec4(0.0, 0.0, 2.0, 1.0);

  vec3 color = aColor.rgb;
  if (uMode == 1) color = ramp(dot(uUp.xyz, place) + uUp.w);
  else if (uMode == 2) {
    int photo = int(aTag & 0xfffffu);
    if (photo >= textureSize(uPhotos, 0).x * textureSize(uPhotos, 0).y) photo = 0;
    color = texelFetch(uPhotos, ivec2(photo & 1023, photo >> 10), 0).rgb;
  } else if (uMode == 3) color = ramp(aColor.a);
  vDrawn = vec4(mix(color, vec3(0.36, 0.86, 0.94), shine * shine), log2(depth) + 64.0);
#ifdef PICK
  uint photo = aTag & 0xfffffu;
  uint sure = uint(aColor.a * 255.0 + 0.5);
  vWho = uvec4(
    aPlace.w | (uSlab << 16),
    uint(gl_VertexID) | (photo << 18),
    aPlace.x | (aPlace.y << 16),
    aPlace.z | (sure << 16) | ((photo >> 14) << 24)
  );
#endif
}`;

/** `FLAT`: straight to the screen, for machines that cannot draw into floats. */
export const POINT_FRAGMENT = `${POINT_HEAD}
flat in vec4 vDrawn;
#ifdef PICK
flat in uvec4 vWho;
layout(location = 0) out uvec4 fragment;
#else
layout(location = 0) out vec4 fragment;
#endif
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (dot(p, p) > 1.0) discard;
#ifdef PICK
  fragment = vWho;
#elif defined(FLAT)
  fragment = vec4(vDrawn.rgb, 1.0);
#else
  fragment = vDrawn;
#endif
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
// Written out: browsers that draw on the CPU compute the cosines of a loop for each pixel, a third of this shader's time.
const float DIAGONAL = 0.70710678;
/** How much nearer to the eye it is there than here, in log depth; the background is not. */
float closer(float here, vec2 offset) {
  float depth = texture(uPoints, vUv + offset * uStep).a;
  return depth != 0.0 ? max(0.0, here - depth) : 0.0;
}
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
  float shade = closer(here.a, vec2(1.0, 0.0)) + closer(here.a, vec2(-1.0, 0.0))
    + closer(here.a, vec2(0.0, 1.0)) + closer(here.a, vec2(0.0, -1.0))
    + closer(here.a, vec2(DIAGONAL, DIAGONAL)) + closer(here.a, vec2(-DIAGONAL, DIAGONAL))
    + closer(here.a, vec2(DIAGONAL, -DIAGONAL)) + closer(here.a, vec2(-DIAGONAL, -DIAGONAL));
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
