/** Start screen, a space, the page of a face or of whoever takes the photos, by the address. */
import { CairnApi } from "@cairn/client";
import type { JSX } from "react";
import { captureSpace, isCapture } from "./capture/capture-route.ts";
import { facePageOf, namedFace } from "./faces/face-route.ts";
import { Home } from "./home.tsx";
import { late } from "./late.tsx";
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
const FacePage = late({ load: async () => (await import("./faces/face-page.tsx")).FacePage });
const CapturePage = late({ load: async () => (await import("./capture/capture-page.tsx")).CapturePage });

export function App(): JSX.Element {
  return face ? <FacePage name={face} token={token} /> : <Cairn />;
}

function Cairn(): JSX.Element {
  const { reach, asksToken } = useReach(api);
  if (asksToken) return <TokenPage refused={token !== undefined} />;
  return (
    <>
      <Page site={{ url, api, token, reach }} />
      {asksToken === false && <TokenOffer />}
    </>
  );
}

function Page({ site }: { site: Site }): JSX.Element {
  const space = useSpaceRoute();
  if (isCapture(location.pathname)) return <CapturePage space={captureSpace(location.search)} site={site} />;
  return space === undefined ? <Home site={site} /> : <SpacePage key={space} space={space} site={site} />;
}
