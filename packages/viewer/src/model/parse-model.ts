/** Files that hold a mesh or points, to things to draw: by three's own loaders, each fetched when first needed. */
import {
  type BufferGeometry,
  DoubleSide,
  Group,
  LineSegments,
  type Material,
  Mesh,
  MeshStandardMaterial,
  type Object3D,
  Points,
  PointsMaterial,
  Texture,
} from "three";

export type ModelFormat = "stl" | "obj" | "glb" | "ply";

export type Model = {
  readonly object: Object3D;
  readonly points: number;
  readonly triangles: number;
};

/** @throws {Error} when the bytes are nothing of that format */
export async function parseModel(bytes: ArrayBuffer, format: ModelFormat): Promise<Model> {
  const object = await PARSERS[format](bytes);
  let points = 0;
  let triangles = 0;
  object.traverse((each) => {
    if (each instanceof Points) points += vertices(each.geometry);
    if (each instanceof Mesh) triangles += (each.geometry.index?.count ?? vertices(each.geometry)) / 3;
  });
  return { object, points, triangles };
}

const PARSERS = {
  async stl(bytes) {
    const { STLLoader } = await import("three/examples/jsm/loaders/STLLoader.js");
    const geometry = new STLLoader().parse(bytes);
    // Many programs write normals of zero: the facets themselves say better where they look.
    geometry.deleteAttribute("normal");
    return new Mesh(geometry, surface(geometry));
  },
  async obj(bytes) {
    const { OBJLoader } = await import("three/examples/jsm/loaders/OBJLoader.js");
    const group = new OBJLoader().parse(new TextDecoder().decode(bytes));
    group.traverse((each) => {
      // Its materials lie in another file, which nobody sent.
      if (each instanceof Mesh) each.material = surface(each.geometry);
    });
    return group;
  },
  async glb(bytes) {
    const { GLTFLoader } = await import("three/examples/jsm/loaders/GLTFLoader.js");
    const { scene } = await new GLTFLoader().parseAsync(bytes, "");
    return scene;
  },
  async ply(bytes) {
    const { PLYLoader } = await import("three/examples/jsm/loaders/PLYLoader.js");
    const geometry = new PLYLoader().parse(bytes);
    if (vertices(geometry) === 0) return new Group();
    return geometry.index ? new Mesh(geometry, surface(geometry)) : new Points(geometry, new PointsMaterial());
  },
} as const satisfies Record<ModelFormat, (bytes: ArrayBuffer) => Promise<Object3D>>;

function surface(geometry: BufferGeometry): Material {
  const colored = geometry.hasAttribute("color");
  return new MeshStandardMaterial({
    color: colored ? 0xffffff : 0xaebccb,
    vertexColors: colored,
    roughness: 0.72,
    metalness: 0,
    side: DoubleSide,
    flatShading: !geometry.hasAttribute("normal"),
  });
}

function vertices(geometry: BufferGeometry): number {
  return geometry.attributes.position?.count ?? 0;
}

/** Lets go of what an object holds on the GPU; the material of points is the view's. */
export function disposeOf(object: Object3D): void {
  object.traverse((each) => {
    if (each instanceof Points) each.geometry.dispose();
    else if (each instanceof Mesh || each instanceof LineSegments) {
      each.geometry.dispose();
      for (const material of [each.material].flat()) {
        for (const value of Object.values(material)) if (value instanceof Texture) value.dispose();
        material.dispose();
      }
    }
  });
}
