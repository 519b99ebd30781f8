/** The page of a face, behind the question for a token. Each is fetched when asked for, so that the start page stays small. */
import { type ComponentType, type JSX, useEffect, useMemo, useState } from "react";
import { late } from "../late.tsx";
import { TokenOffer } from "../token-offer.tsx";
import { TokenPage } from "../token-page.tsx";
import "./faces.css";
import type { FacePageName } from "./face-route.ts";
import { Place } from "./shared/place.ts";

type FacePageProps = { place: Place };

const PAGES = {
  heritage: late({ load: async () => (await import("./heritage/heritage-page.tsx")).HeritagePage }),
  depth: late({ load: async () => (await import("./depth/depth-page.tsx")).DepthPage }),
  meshes: late({ load: async () => (await import("./meshes/meshes-page.tsx")).MeshesPage }),
  imagetools: late({ load: async () => (await import("./imagetools/imagetools-page.tsx")).ImagetoolsPage }),
} as const satisfies Record<FacePageName, ComponentType<FacePageProps>>;

export function FacePage({ name, token }: { name: FacePageName; token: string | undefined }): JSX.Element {
  const place = useMemo(() => new Place(location.href, token), [token]);
  const asksToken = useAsksToken(place);
  const Page = PAGES[name];
  if (asksToken) return <TokenPage refused={token !== undefined} />;
  return (
    <>
      <Page place={place} />
      {asksToken === false && <TokenOffer />}
    </>
  );
}

/** Not there until the server has said so. */
function useAsksToken(place: Place): boolean | undefined {
  const [asksToken, setAsksToken] = useState<boolean>();
  useEffect(() => {
    const stop = new AbortController();
    place.asksToken(stop.signal).then(setAsksToken, () => setAsksToken(false)); // a server that is away is said by the page
    return () => stop.abort();
  }, [place]);
  return asksToken;
}
