/** The page of a face. Each is fetched when it is asked for, so that the start page stays small. */
import { type ComponentType, type JSX, lazy, Suspense } from "react";
import "./faces.css";
import type { FacePageName } from "./face-route.ts";
import { Place } from "./shared/place.ts";

type FacePageProps = { place: Place };

const PLACE = new Place(location.href);

const PAGES = {
  heritage: lazy(async () => ({ default: (await import("./heritage/heritage-page.tsx")).HeritagePage })),
  depth: lazy(async () => ({ default: (await import("./depth/depth-page.tsx")).DepthPage })),
  meshes: lazy(async () => ({ default: (await import("./meshes/meshes-page.tsx")).MeshesPage })),
  imagetools: lazy(async () => ({ default: (await import("./imagetools/imagetools-page.tsx")).ImagetoolsPage })),
} as const satisfies Record<FacePageName, ComponentType<FacePageProps>>;

export function FacePage({ name }: { name: FacePageName }): JSX.Element {
  const Page = PAGES[name];
  return (
    <Suspense fallback={<main className="space" />}>
      <Page place={PLACE} />
    </Suspense>
  );
}
