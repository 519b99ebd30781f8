/** Start screen, a space, the page of a face or of whoever takes the photos, by the address. */
import { CairnApi } from "@cairn/client";
import { type JSX, lazy, Suspense } from "react";
import { captureSpace, isCapture } from "./capture/capture-route.ts";
import { facePageOf, namedFace } from "./faces/face-route.ts";
import { Home } from "./home.tsx";
import { useSpaceRoute } from "./route.ts";
import type { Site } from "./site.ts";
import { SpacePage } from "./space-page.tsx";
import { takeToken } from "./token.ts";
import { TokenOffer } from "./token-offer.tsx";
import { TokenPage } from "./token-page.tsx";
import { useReach } from "./use-reach.ts";

const url = new URL(".", location.href).href.replace(/\/$/, "");
const token = takeToken();
const api = new CairnApi({ url, ...(token !== undefined && { token }) });
const face = facePageOf(location.pathname, namedFace());
const FacePage = lazy(async () => ({ default: (await import("./faces/face-page.tsx")).FacePage }));
const CapturePage = lazy(async () => ({ default: (await import("./capture/capture-page.tsx")).CapturePage }));

export function App(): JSX.Element {
  if (!face) return <Cairn />;
  return (
    <Suspense fallback={<main className="space" />}>
      <FacePage name={face} token={token} />
    </Suspense>
  );
}

function Cairn(): JSX.Element {
  const { reach, asksToken } = useReach(api);
  if (asksToken) return <TokenPage refused={token !== undefined} />;
  return (
    <>
      <Page site={{ url, api, token, reach }} />
      <TokenOffer />
    </>
  );
}

function Page({ site }: { site: Site }): JSX.Element {
  const space = useSpaceRoute();
  if (isCapture(location.pathname)) {
    return (
      <Suspense fallback={<main className="space" />}>
        <CapturePage space={captureSpace(location.search)} site={site} />
      </Suspense>
    );
  }
  return space === undefined ? <Home site={site} /> : <SpacePage key={space} space={space} site={site} />;
}
