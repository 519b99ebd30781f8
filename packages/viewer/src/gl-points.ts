/**
 * The points on the GPU, in plain WebGL 2 beside three.js: slabs of 16-byte points that are only ever appended to, two
 * small textures of nodes, one multi-draw for each slab and layer. Keeps nothing of the points on the CPU.
 */
import { POINT_BYTES } from "./decode.ts";
import { type NodeTextures, TEXTURE_WIDTH } from "./node-textures.ts";
import { SLAB_POINTS } from "./page-pool.ts";
import type { PointSink } from "./residents.ts";
import { POINT_FRAGMENT, POINT_VERTEX } from "./shaders.ts";

export type PointStyle = {
  /** Pixels of one unit at distance one, times what the user wants. */
  sizePx: number;
  minPx: number;
  /** Largest points where they lie loosely. */
  dotPx: number;
  /** Seconds, on the clock of the nodes' births. */
  now: number;
  /** 0 photo, 1 height, 2 by photo, 3 confidence. */
  mode: number;
  /** Six colours, 0…1. */
  ramp: Float32Array;
};

export type LayerDraw = {
  /** Column-major. */
  eyeFromLayer: readonly number[];
  /** Units of the scene in one of the layer's. */
  scale: number;
  fade: readonly [number, number];
  maxPx: number;
  /** Height of a point of the layer, from 0 at the bottom of the colours to 1 at their top: `xyz · p + w`. */
  up: readonly [number, number, number, number];
  ranges: ReadonlyMap<number, readonly number[]>;
};

type Program = { program: WebGLProgram; at(name: string): WebGLUniformLocation | null };
type Slab = { buffer: WebGLBuffer; array: WebGLVertexArrayObject };
export type PointPass = "light" | "flat" | "pick";

export class GlPoints implements PointSink {
  readonly #gl: WebGL2RenderingContext;
  #programs = new Map<PointPass, Program>();
  #slabs: Slab[] = [];
  #textures: { slots: WebGLTexture; tree: WebGLTexture; photos: WebGLTexture } | undefined;
  #multi: WebglMultiDraw | null = null;

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
    this.restore();
  }

  /** After the context was lost all of it is made anew, empty. */
  restore(): void {
    const gl = this.#gl;
    this.#programs = new Map();
    this.#slabs = [];
    this.#multi = gl.getExtension("WEBGL_multi_draw") as WebglMultiDraw | null;
    const texture = () => {
      const made = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, made);
      for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
      }
      return made;
    };
    this.#textures = { slots: texture(), tree: texture(), photos: texture() };
    this.setPhotos(new Uint8Array([255, 255, 255, 255]));
  }

  write(slab: number, first: number, bytes: Uint8Array<ArrayBuffer>): void {
    const gl = this.#gl;
    while (this.#slabs.length <= slab) this.#slabs.push(this.#makeSlab());
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#slabs[slab]!.buffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, first * POINT_BYTES, bytes);
  }

  setNodes({ slots, tree }: NodeTextures): void {
    const gl = this.#gl;
    this.#upload(this.#textures!.slots, gl.RGBA32F, gl.RGBA, gl.FLOAT, slots, 4);
    this.#upload(this.#textures!.tree, gl.RGBA32UI, gl.RGBA_INTEGER, gl.UNSIGNED_INT, tree, 4);
  }

  /** @param colors `[photos, 4]` */
  setPhotos(colors: Uint8Array): void {
    const gl = this.#gl;
    const rows = new Uint8Array(Math.ceil(colors.length / 4 / TEXTURE_WIDTH) * TEXTURE_WIDTH * 4);
    rows.set(colors);
    this.#upload(this.#textures!.photos, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, rows, 4);
  }

  /** Into the target that is bound; its viewport is set. Leaves the state of WebGL as it falls out. */
  draw(pass: PointPass, clipFromEye: readonly number[], style: PointStyle, layers: readonly LayerDraw[]): void {
    const gl = this.#gl;
    const { program, at } = this.#program(pass);
    gl.useProgram(program);
    gl.disable(gl.BLEND);
    gl.disable(gl.CULL_FACE);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LESS);
    gl.depthMask(true);
    gl.colorMask(true, true, true, true);
    [this.#textures!.slots, this.#textures!.tree, this.#textures!.photos].forEach((texture, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.bindSampler(unit, null);
    });
    gl.uniform1i(at("uSlots"), 0);
    gl.uniform1i(at("uTree"), 1);
    gl.uniform1i(at("uPhotos"), 2);
    gl.uniformMatrix4fv(at("uClipFromEye"), false, clipFromEye);
    gl.uniform1f(at("uMinPx"), style.minPx);
    gl.uniform1f(at("uDotPx"), style.dotPx);
    gl.uniform1f(at("uNow"), style.now);
    gl.uniform1i(at("uMode"), style.mode);
    gl.uniform3fv(at("uRamp"), style.ramp);
    for (const { eyeFromLayer, scale, fade, maxPx, up, ranges } of layers) {
      gl.uniform1f(at("uMaxPx"), maxPx);
      gl.uniformMatrix4fv(at("uEyeFromLayer"), false, eyeFromLayer);
      gl.uniform1f(at("uSizePx"), style.sizePx * scale);
      gl.uniform2f(at("uFade"), ...fade);
      gl.uniform4f(at("uUp"), ...up);
      for (const [slab, runs] of ranges) {
        gl.uniform1ui(at("uSlab"), slab);
        this.#drawRuns(slab, runs);
      }
    }
    gl.bindVertexArray(null);
  }

  dispose(): void {
    const gl = this.#gl;
    for (const { buffer, array } of this.#slabs) {
      gl.deleteBuffer(buffer);
      gl.deleteVertexArray(array);
    }
    for (const { program } of this.#programs.values()) gl.deleteProgram(program);
    for (const texture of Object.values(this.#textures ?? {})) gl.deleteTexture(texture);
    this.#slabs = [];
    this.#programs.clear();
    this.#textures = undefined;
  }

  #drawRuns(slab: number, runs: readonly number[]): void {
    const gl = this.#gl;
    const made = this.#slabs[slab];
    if (!made) return;
    gl.bindVertexArray(made.array);
    const n = runs.length / 2;
    if (this.#multi) {
      const firsts = Int32Array.from({ length: n }, (_, i) => runs[i * 2]!);
      const counts = Int32Array.from({ length: n }, (_, i) => runs[i * 2 + 1]!);
      this.#multi.multiDrawArraysWEBGL(gl.POINTS, firsts, 0, counts, 0, n);
    } else for (let i = 0; i < n; i++) gl.drawArrays(gl.POINTS, runs[i * 2]!, runs[i * 2 + 1]!);
  }

  #makeSlab(): Slab {
    const gl = this.#gl;
    const buffer = gl.createBuffer();
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, SLAB_POINTS * POINT_BYTES, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribIPointer(0, 4, gl.UNSIGNED_SHORT, POINT_BYTES, 0);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, POINT_BYTES, 8);
    gl.enableVertexAttribArray(2);
    gl.vertexAttribIPointer(2, 1, gl.UNSIGNED_INT, POINT_BYTES, 12);
    gl.bindVertexArray(null);
    return { buffer, array };
  }

  #upload(
    texture: WebGLTexture,
    kind: number,
    format: number,
    type: number,
    values: Float32Array | Uint32Array | Uint8Array,
    size: number,
  ): void {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    const rows = values.length / size / TEXTURE_WIDTH;
    gl.texImage2D(gl.TEXTURE_2D, 0, kind, TEXTURE_WIDTH, rows, 0, format, type, values);
  }

  #program(pass: PointPass): Program {
    const known = this.#programs.get(pass);
    if (known) return known;
    const gl = this.#gl;
    const define = { light: "", flat: "#define FLAT\n", pick: "#define PICK\n" }[pass];
    const program = gl.createProgram();
    for (const [type, source] of [
      [gl.VERTEX_SHADER, POINT_VERTEX],
      [gl.FRAGMENT_SHADER, POINT_FRAGMENT],
    ] as const) {
      const shader = gl.createShader(type);
      if (!shader) throw new Error("the graphics context is gone");
      gl.shaderSource(shader, `#version 300 es\n${define}${source}`);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      const logs = gl.getAttachedShaders(program)?.map((shader) => gl.getShaderInfoLog(shader));
      throw new Error(
        `the points' shader does not compile: ${[gl.getProgramInfoLog(program), ...(logs ?? [])].join(" ")}`,
      );
    }
    const places = new Map<string, WebGLUniformLocation | null>();
    const at = (name: string) => {
      const place = places.get(name) ?? gl.getUniformLocation(program, name);
      places.set(name, place);
      return place;
    };
    const made = { program, at };
    this.#programs.set(pass, made);
    return made;
  }
}

type WebglMultiDraw = {
  multiDrawArraysWEBGL(
    mode: number,
    firsts: Int32Array,
    firstsOffset: number,
    counts: Int32Array,
    countsOffset: number,
    drawcount: number,
  ): void;
};
