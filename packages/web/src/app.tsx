/** Start screen, a space, the page of a face or of whoever takes the photos, by the address. */
import { CairnApi } from "@cairn/client";
import { type JSX, lazy, Suspense } from "react";
import { captureSpace, isCapture } from "./capture/capture-route.ts";
import { facePageOf, namedFace } from "./faces/face-route.ts";
import { Home } from "./home.tsx";
import { useSpaceRoute } from "./route.ts";
import { SpacePage } from "./space-page.tsx";

/** The folder that the page was served from: Cairn may live behind a path. */
const serverUrl = new URL(".", location.href).href.replace(/\/$/, "");
const api = new CairnApi({ url: serverUrl });
const face = facePageOf(location.pathname, namedFace());
const FacePage = lazy(async () => ({ default: (await import("./faces/face-page.tsx")).FacePage }));
const CapturePage = lazy(async () => ({ default: (await import("./capture/capture-page.tsx")).CapturePage }));

export function App(): JSX.Element {
  const space = useSpaceRoute();
  if (isCapture(location.pathname)) {
    return (
      <Suspense fallback={<main className="space" />}>
        <CapturePage space={captureSpace(location.search)} api={api} url={serverUrl} />
      </Suspense>
    );
  }
  if (face) {
    return (
      <Suspense fallback={<main className="space" />}>
        <FacePage name={face} />
      </Suspense>
    );
  }
  return space === undefined ? <Home api={api} /> : <SpacePage key={space} space={space} api={api} url={serverUrl} />;
}
