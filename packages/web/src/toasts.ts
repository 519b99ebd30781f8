/** Turns the events of a space into short notices; several within a moment become one. */
import type { SpaceConnection } from "@cairn/client";
import { adviceOfHint, type CairnEvent, photosOf, shownLayers } from "@cairn/protocol";
import type { Upload, Uploads } from "./uploads.ts";
import { count } from "./words.ts";

export type Toast = { id: number; title: string; text?: string; tone?: "good" | "bad" };

const GATHER_MS = 350;

/** Tells what was not taken, wherever in the window its list is; several within a moment are one. Until the returned function is called. */
export function announceRefusals(uploads: Uploads, show: (toast: Omit<Toast, "id">) => void): () => void {
  let told = new Set<number>();
  let news: Upload[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    const [first] = news;
    if (first && news.length === 1)
      show({ title: `${first.name} was not taken`, text: first.error ?? "", tone: "bad" });
    else show({ title: `${news.length} files were not taken`, text: "The list of photos says why.", tone: "bad" });
    news = [];
  };
  const off = uploads.subscribe(() => {
    const refused = uploads.items.filter(({ error }) => error !== undefined);
    news.push(...refused.filter(({ id }) => !told.has(id)));
    told = new Set(refused.map(({ id }) => id));
    if (news.length > 0) timer ??= setTimeout(flush, GATHER_MS);
  });
  return () => {
    clearTimeout(timer);
    off();
  };
}

/** Calls `show` until the returned function is called. Only what happens from now on is told. */
export function announce(connection: SpaceConnection, show: (toast: Omit<Toast, "id">) => void): () => void {
  const placed = new Set<string>();
  let known = new Set<string>();
  let points = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Photos placed before are no news: they are re-judged at each rebuild.
  const remember = () => {
    known = new Set(
      photosOf(connection.state).flatMap(({ image, verdict }) => (verdict?.verdict === "registered" ? [image] : [])),
    );
  };
  remember();

  const flush = () => {
    timer = undefined;
    if (placed.size > 0) {
      const order = photosOf(connection.state).map(({ image }) => image);
      const [only] = placed;
      const title =
        placed.size === 1 && only ? `Photo ${order.indexOf(only) + 1} placed` : `${placed.size} photos placed`;
      show({ title, ...(points > 0 ? { text: `+${count(points, "point")}` } : {}), tone: "good" });
    }
    placed.clear();
    points = 0;
  };

  const onEvent = (event: CairnEvent) => {
    switch (event.type) {
      case "image.judged":
        if (event.data.verdict !== "registered" || known.has(event.data.image)) return;
        known.add(event.data.image);
        placed.add(event.data.image);
        break;
      case "segments.added":
        if (!shownLayers(connection.state).some(({ layer }) => layer === event.data.layer)) return; // in the making
        points += event.data.points;
        break;
      case "generation.published":
        if (event.data.refined === 0 && event.data.restores === undefined) return;
        show({
          title: event.data.restores === undefined ? "Model refined" : `Back to model ${event.data.restores}`,
          text: `${count(event.data.cameras, "photo")} · ${count(event.data.points, "point")}`,
        });
        return;
      case "hint.given":
        show({ title: "For the next photo", text: adviceOfHint(event.data) });
        return;
      case "operation.failed":
        show({ title: "That did not work", text: event.data.message, tone: "bad" });
        return;
      default:
        return;
    }
    timer ??= setTimeout(flush, GATHER_MS);
  };
  const offEvent = connection.on("event", onEvent);
  const offState = connection.on("state", (_state, { reset }) => {
    if (reset) remember();
  });
  return () => {
    clearTimeout(timer);
    offEvent();
    offState();
  };
}
