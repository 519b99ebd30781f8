/** Start screen or a space, by the address. */
import { CairnApi } from "@cairn/client";
import type { JSX } from "react";
import { Home } from "./home.tsx";
import { useSpaceRoute } from "./route.ts";
import { SpacePage } from "./space-page.tsx";

/** The folder that the page was served from: Cairn may live behind a path. */
const serverUrl = new URL(".", location.href).href.replace(/\/$/, "");
const api = new CairnApi({ url: serverUrl });

export function App(): JSX.Element {
  const space = useSpaceRoute();
  return space === undefined ? <Home api={api} /> : <SpacePage key={space} space={space} api={api} url={serverUrl} />;
}
