/** The points of one generation as a three.js object. */
import type { SegmentPoints } from "@cairn/formats";
import { BufferAttribute, BufferGeometry, type Matrix4, Points, type RawShaderMaterial } from "three";
import type { PointSink } from "./generations.ts";
import { PointPool } from "./point-pool.ts";

export class PointLayer implements PointSink {
  readonly pool = new PointPool();
  readonly object: Points<BufferGeometry, RawShaderMaterial>;
  /** Index of the first point of the newest segment, for fading in. */
  freshFrom = 0;

  constructor(material: RawShaderMaterial) {
    this.object = new Points(new BufferGeometry(), material);
    this.object.frustumCulled = false;
    this.object.matrixAutoUpdate = false;
    this.#attach();
  }

  append(points: SegmentPoints): void {
    const from = this.pool.count;
    const grown = this.pool.append(points);
    this.freshFrom = from;
    if (grown) this.#attach();
    else this.#upload(from);
    this.object.geometry.setDrawRange(0, this.pool.count);
  }

  /** Puts the points' frame (local to the pool's origin) into the scene. */
  place(sceneFromLocal: Matrix4): void {
    this.object.matrix.copy(sceneFromLocal);
    this.object.matrixWorldNeedsUpdate = true;
  }

  dispose(): void {
    this.object.removeFromParent();
    this.object.geometry.dispose();
  }

  #attach(): void {
    const { geometry } = this.object;
    geometry.dispose(); // frees the smaller GPU buffers; the attributes below get new ones
    geometry.setAttribute("position", new BufferAttribute(this.pool.positions, 3));
    geometry.setAttribute("color", new BufferAttribute(this.pool.colors, 4, true));
    geometry.setDrawRange(0, this.pool.count);
  }

  #upload(from: number): void {
    const count = this.pool.count - from;
    const { position, color } = this.object.geometry.attributes as Record<"position" | "color", BufferAttribute>;
    position.addUpdateRange(from * 3, count * 3);
    position.needsUpdate = true;
    color.addUpdateRange(from * 4, count * 4);
    color.needsUpdate = true;
  }
}
