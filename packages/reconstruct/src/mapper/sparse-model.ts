/** The scene as the model that is exported, with every observation. */
import type { SparseModel } from "@cairn/formats";
import { posedCamera, trackColor } from "./ledger.ts";
import { toFull } from "./lens.ts";
import type { Scene } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";
import type { Track } from "./tracks.ts";

export function sparseModelOf(scene: Scene): SparseModel {
  const posed = [...scene.posed].sort((a, b) => a - b);
  const seen = (track: Track, k: number) => track.fits[k] && scene.isPosed(track.views[k]);
  const tracks: Track[] = [];
  for (const track of scene.tracks.all()) {
    if (track.point && track.views.filter((_, k) => seen(track, k)).length >= 2) tracks.push(track);
  }
  const positions = new Float64Array(tracks.length * 3);
  const colors = new Uint8Array(tracks.length * 3);
  const errorsPx = new Float32Array(tracks.length);
  const pointsOfView = new Map(posed.map((view) => [view, new Int32Array(scene.views[view].places.count).fill(-1)]));
  for (const [index, track] of tracks.entries()) {
    positions.set(track.point!, index * 3);
    colors.set(trackColor(scene, track), index * 3);
    let sum = 0;
    let count = 0;
    for (let k = 0; k < track.views.length; k++) {
      if (!seen(track, k)) continue;
      const view = track.views[k];
      pointsOfView.get(view)![track.features[k]] = index;
      sum += observationErrorPx(scene, track.point!, view, track.features[k]) * scene.views[view].fullScale;
      count++;
    }
    errorsPx[index] = sum / count;
  }
  const images = posed.map((index) => {
    const { photo, places } = scene.views[index];
    const { scale, offsetX, offsetY } = toFull(photo);
    const full = new Float64Array(places.count * 2);
    for (let i = 0; i < places.count; i++) {
      full[2 * i] = places.x[i] * scale + offsetX;
      full[2 * i + 1] = places.y[i] * scale + offsetY;
    }
    const camera = posedCamera(scene, index);
    return { image: photo.image, name: photo.name, camera, features: full, points: pointsOfView.get(index)! };
  });
  return { images, positions, colors, errorsPx };
}
