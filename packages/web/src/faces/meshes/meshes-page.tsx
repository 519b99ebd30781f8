/** The history of designs: live, searchable, and each in 3D. Rules MSH-34, MSH-35. */
import type { ModelView } from "@cairn/viewer/model";
import { type JSX, useCallback, useEffect, useMemo, useState } from "react";
import { Icon } from "../../icons.tsx";
import { PanelHead } from "../../panel-head.tsx";
import { Toasts, useToasts } from "../../toast-list.tsx";
import { PHONE_PX } from "../../use-insets.ts";
import { count, sizeInWords } from "../../words.ts";
import { FaceBar } from "../shared/face-bar.tsx";
import { ModelCanvas } from "../shared/model-canvas.tsx";
import type { Place } from "../shared/place.ts";
import { useStore } from "../shared/store.ts";
import { useNow } from "../shared/times.ts";
import { DesignCard } from "./design-card.tsx";
import { type Design, DesignFeed, type FeedNews, type Scope } from "./design-feed.ts";
import { DesignList, designKey, NEW_SECONDS, RECENT_SECONDS } from "./design-list.tsx";
import { formatOf, type LoadedDesign, loadDesign } from "./design-view.ts";

const LIMITS = [10, 25, 50, 100] as const;
const REFRESH_MS = 10_000;
const PANEL_PX = 372;
const CARD_PX = 316;

const AGES = { all: "Any age", new: "New, under a minute", recent: "Under an hour" } as const;
type Age = keyof typeof AGES;
const SCOPES = {
  usual: "Current and archive",
  demo: "With demonstration",
  all: "Every collection",
} as const satisfies Record<Scope, string>;

const NEWS = { added: "New design", overwritten: "New revision", removed: "Design removed" } as const;

export function MeshesPage({ place }: { place: Place }): JSX.Element {
  const [limit, setLimit] = useState<number>(50);
  const [scope, setScope] = useState<Scope>("usual");
  const [age, setAge] = useState<Age>("all");
  const [search, setSearch] = useState("");
  const [refreshing, setRefreshing] = useState(false);
  const [panelOpen, setPanelOpen] = useState(true);
  const [view, setView] = useState<ModelView>();
  const { toasts, say, dismiss } = useToasts();
  const onNews = useCallback<FeedNews>((change, design) => say(NEWS[change], design), [say]);
  const feed = useStore(
    useCallback(() => new DesignFeed(place, { limit, scope, onNews }), [place, limit, scope, onNews]),
  );
  const nowMs = useNow();
  const [chosen, choose] = useChosenDesign(feed?.state.designs);
  const shown = useShownDesign(place, view, chosen);

  useEffect(() => {
    document.title = chosen ? `${chosen.design_id} · Designs` : "Designs · Cairn";
  }, [chosen]);

  const store = feed?.store;
  useEffect(() => {
    if (!refreshing || !store) return;
    const timer = setInterval(() => void store.refresh(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [refreshing, store]);

  const { designs, stats, status = "connecting", aheadS = 0, problem } = feed?.state ?? {};
  const nowSeconds = nowMs / 1000 + aheadS;
  const words = search.trim().toLowerCase();
  const youngest = { all: Number.POSITIVE_INFINITY, new: NEW_SECONDS, recent: RECENT_SECONDS }[age];
  const found = (designs ?? []).filter(
    ({ design_id, created_at }) => design_id.toLowerCase().includes(words) && nowSeconds - created_at < youngest,
  );

  const onSelect = (design: Design) => {
    const again = chosen && designKey(chosen) === designKey(design);
    choose(again ? undefined : design);
    if (!again && innerWidth <= PHONE_PX) setPanelOpen(false);
  };

  return (
    <main className="space">
      <ModelCanvas onView={setView} panelOpen={panelOpen} panelPx={PANEL_PX} leftPx={chosen ? CARD_PX + 12 : 0} />
      <FaceBar
        title="Designs"
        status={status}
        counts={
          stats && (
            <>
              <span data-count="designs">{count(stats.total_designs, "design")}</span>
              <span data-count="recent"> · {stats.recent_designs} in the last hour</span>
              {stats.total_file_size > 0 && <span data-count="bytes"> · {sizeInWords(stats.total_file_size)}</span>}
            </>
          )
        }
      >
        <button type="button" className="button" aria-label="Show everything (F)" onClick={() => view?.frame()}>
          <Icon name="frame" />
        </button>
      </FaceBar>
      {!chosen && (
        <div className="empty">
          <Icon name="box" />
          <p>
            <strong>{designs?.length === 0 ? "No designs yet" : "Choose a design"}</strong>
            <br />
            {designs?.length === 0
              ? "A file that is put into the watched folder appears here at once."
              : "It is shown here, and can be turned, measured and saved."}
          </p>
        </div>
      )}
      <aside className={panelOpen ? "card panel wide open" : "card panel wide"} aria-label="History of designs">
        <PanelHead
          title="History"
          said={designs ? `${found.length} of ${designs.length} shown` : "loading…"}
          open={panelOpen}
          onOpen={setPanelOpen}
        >
          <button type="button" className="button small" onClick={() => void store?.refresh()}>
            Refresh
          </button>
        </PanelHead>
        {panelOpen && (
          <>
            <div className="filters">
              <input
                type="search"
                placeholder="Search by name"
                aria-label="Search designs"
                value={search}
                onChange={({ target }) => setSearch(target.value)}
              />
              <Choice<Age> label="Age" value={age} options={AGES} onChange={setAge} />
              <Choice<Scope> label="Collections" value={scope} options={SCOPES} onChange={setScope} />
              <select aria-label="Most shown" value={limit} onChange={({ target }) => setLimit(Number(target.value))}>
                {LIMITS.map((each) => (
                  <option key={each} value={each}>
                    Newest {each}
                  </option>
                ))}
              </select>
              <label className="check">
                Refresh each 10 s
                <input
                  type="checkbox"
                  className="switch"
                  checked={refreshing}
                  onChange={({ target }) => setRefreshing(target.checked)}
                />
              </label>
            </div>
            {problem && (
              <p className="problem" role="alert">
                {problem}
              </p>
            )}
            <DesignList {...{ place, nowSeconds, onSelect }} designs={found} selected={chosen && designKey(chosen)} />
            {designs && designs.length > 0 && found.length === 0 && (
              <p className="nothing">No design fits what you look for.</p>
            )}
          </>
        )}
      </aside>
      <div className="corner">
        {chosen && (
          <DesignCard
            {...{ place, ...shown }}
            design={chosen}
            factsOpen={innerWidth > PHONE_PX}
            onClose={() => choose(undefined)}
          />
        )}
      </div>
      <Toasts {...{ toasts, dismiss }} />
    </main>
  );
}

type ChoiceProps<Value extends string> = {
  label: string;
  value: Value;
  options: Readonly<Record<Value, string>>;
  onChange(value: Value): void;
};

function Choice<Value extends string>({ label, value, options, onChange }: ChoiceProps<Value>): JSX.Element {
  return (
    <select aria-label={label} value={value} onChange={({ target }) => onChange(target.value as Value)}>
      {Object.entries<string>(options).map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** By the address, `?design=ID`: a link shows the same design. What was chosen stays while it leaves the list. */
function useChosenDesign(
  designs: readonly Design[] | undefined,
): [Design | undefined, (design: Design | undefined) => void] {
  const [key, setKey] = useState<string | undefined>(() => {
    const query = new URLSearchParams(location.search);
    const design = query.get("design");
    return design === null ? undefined : `${query.get("collection") ?? ""}/${design}`;
  });
  const [last, setLast] = useState<Design>();
  const found = designs?.find(
    (design) => designKey(design) === key || (key !== undefined && `/${design.design_id}` === key),
  );
  if (found && found !== last) setLast(found);
  const choose = useCallback((design: Design | undefined) => {
    setKey(design && designKey(design));
    setLast(design);
    const query = new URLSearchParams(location.search);
    query.delete("design");
    query.delete("collection");
    if (design) {
      query.set("design", design.design_id);
      if (design.collection !== "current") query.set("collection", design.collection);
    }
    history.replaceState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  }, []);
  return [found ?? (key === undefined ? undefined : last), choose];
}

/** Loads the chosen design into the view, and again when it is overwritten. */
function useShownDesign(place: Place, view: ModelView | undefined, design: Design | undefined) {
  const [loaded, setLoaded] = useState<LoadedDesign>();
  const [wanted, setWanted] = useState<{ key: string; revision: number }>();
  const [turned, setTurned] = useState<boolean>();
  const [wireframe, setWireframe] = useState(false);
  const key = design && designKey(design);
  const revision = wanted && wanted.key === key ? wanted.revision : undefined;
  const seq = design?.seq;
  // STL and PLY come from printers and scanners, which work on a table; GLB says that y is up, and OBJ mostly has it so.
  const zUp = turned ?? (design !== undefined && ["stl", "ply"].includes(formatOf(design)));
  const onRevision = useCallback(
    (next: number | undefined) => setWanted(next === undefined || !key ? undefined : { key, revision: next }),
    [key],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` and `seq` say when it is another design or content
  useEffect(() => {
    if (!view) return;
    setLoaded(undefined);
    view.keep(new Set(key === undefined ? [] : [key]));
    if (!design || key === undefined) return;
    const stop = new AbortController();
    loadDesign(place, design, revision, stop.signal).then(
      (next) => {
        if (next.model) view.put(key, next.model);
        else view.remove(key);
        setLoaded(next);
      },
      () => {}, // another one was chosen meanwhile
    );
    return () => stop.abort();
  }, [place, view, key, seq, revision]);
  useEffect(() => view?.setUp(zUp ? "z" : "y"), [view, zUp]);
  useEffect(() => view?.setWireframe(wireframe), [view, wireframe]);

  return useMemo(
    () => ({ loaded, revision, onRevision, zUp, onZUp: setTurned, wireframe, onWireframe: setWireframe }),
    [loaded, revision, onRevision, zUp, wireframe],
  );
}
