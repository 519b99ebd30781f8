/**
 * For tests: a tileset as three.js shows it. `3d-tiles-renderer` opens it over HTTP, follows every link and parses every
 * tile; it draws nothing. It wants a browser's frame clock and address, and gets what stands for them here.
 */
import { TilesRenderer } from "3d-tiles-renderer";
import { MeshoptDecoder } from "meshoptimizer/decoder";
import { type BufferAttribute, type Object3D, PerspectiveCamera, type Points, Sphere, Vector3 } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

/** One tile's points in the tileset's outermost frame, doubles, and linear colours 0…1. */
export type ShownTile = { readonly url: string; readonly positions: Float64Array; readonly colors: Float64Array };

const VIEW_PX = 2000;
const GIVE_UP_MS = 60_000;
/** Frames in which something more could turn up. */
const TURNS_AFTER = 20;

/**
 * @param count how many tiles with points there should be: it looks until they are there, and a little longer
 * @param view how far away the camera is, in radii of the whole, and how many pixels of error it takes. Left out:
 * everything is in sight and nothing is fine enough
 */
export async function openTiles(
  url: string,
  count: number,
  view: { radii: number; errorPx: number } = { radii: 3, errorPx: 0 },
): Promise<ShownTile[]> {
  pretendBrowser(url);
  await MeshoptDecoder.ready;
  const tiles = new TilesRenderer(url);
  tiles.manager.addHandler(/\.glb$/, new GLTFLoader(tiles.manager).setMeshoptDecoder(MeshoptDecoder));
  tiles.errorTarget = view.errorPx;
  const camera = new PerspectiveCamera(60, 1, 1e-3, 1e9);
  const failures: unknown[] = [];
  tiles.addEventListener("load-error", ({ error }: { error: unknown }) => void failures.push(error));
  tiles.setCamera(camera);
  tiles.setResolution(camera, VIEW_PX, VIEW_PX);
  const { warn } = console;
  console.warn = () => {}; // It says of each JSON of version 1.1 that it may not know all of it.
  const turn = async () => {
    tiles.update();
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (failures.length) throw failures[0];
  };
  const loaded = () => {
    let found = 0;
    tiles.forEachLoadedModel(() => void found++);
    return found;
  };
  try {
    const sphere = new Sphere();
    while (!tiles.getBoundingSphere(sphere)) await turn();
    camera.position.copy(sphere.center).add(new Vector3(0, 0, sphere.radius * view.radii));
    camera.lookAt(sphere.center);
    camera.updateMatrixWorld(true);
    const until = performance.now() + GIVE_UP_MS;
    for (let after = 0; after < TURNS_AFTER && performance.now() < until; after += loaded() >= count ? 1 : 0)
      await turn();
    const shown: ShownTile[] = [];
    tiles.forEachLoadedModel((scene, tile) => {
      shown.push(readTile(scene, new URL(String(tile.content?.uri), `${tile.internal.basePath}/`).pathname));
    });
    return shown;
  } finally {
    console.warn = warn;
    tiles.dispose();
  }
}

function readTile(scene: Object3D, url: string): ShownTile {
  scene.updateMatrixWorld(true);
  const positions: number[] = [];
  const colors: number[] = [];
  const at = new Vector3();
  scene.traverse((object) => {
    if (!("isPoints" in object)) return;
    const { geometry, matrixWorld } = object as Points;
    const position = geometry.getAttribute("position") as BufferAttribute;
    const color = geometry.getAttribute("color") as BufferAttribute;
    for (let i = 0; i < position.count; i++) {
      at.set(position.getX(i), position.getY(i), position.getZ(i)).applyMatrix4(matrixWorld);
      positions.push(at.x, at.y, at.z);
      colors.push(color.getX(i), color.getY(i), color.getZ(i));
    }
  });
  return { url, positions: Float64Array.from(positions), colors: Float64Array.from(colors) };
}

function pretendBrowser(href: string): void {
  const frames = new Map<number, NodeJS.Immediate>();
  let last = 0;
  Object.assign(globalThis, {
    window: { location: { href } },
    requestAnimationFrame(callback: (timeMs: number) => void): number {
      const id = ++last;
      frames.set(
        id,
        setImmediate(() => frames.delete(id) && callback(performance.now())),
      );
      return id;
    },
    cancelAnimationFrame(id: number): void {
      clearImmediate(frames.get(id));
      frames.delete(id);
    },
  });
}
