/** The start screen: the sample, one's own photos, or a space that is already there. */
import { nsToMs, type Preset, type SpaceSummary } from "@cairn/protocol";
import { type JSX, useCallback, useEffect, useRef, useState } from "react";
import { DropVeil, useDrop } from "./drop.tsx";
import { Icon, Mark } from "./icons.tsx";
import { PhoneOffer } from "./phone/add-phone.tsx";
import { isPhone } from "./phone/is-phone.ts";
import { PhotoPicker } from "./photo-picker.tsx";
import { PresetField } from "./preset-field.tsx";
import { spaceHash } from "./route.ts";
import type { Site } from "./site.ts";
import { type Arrival, announceArrival } from "./uploads.ts";
import { captureTitle, contents, inWords } from "./words.ts";

/** The page of what is in the folders of designs, which are a space with a label. */
const DESIGNS = "./meshes/";

/** A list that is longer than this has a field to look in it. */
const AT_A_GLANCE = 12;

export function Home({ site }: { site: Site }): JSX.Element {
  const { api } = site;
  const [spaces, setSpaces] = useState<SpaceSummary[]>();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  /** Left alone, the server decides. */
  const [preset, setPreset] = useState<Preset>();
  const picker = useRef<HTMLInputElement>(null);
  const [sought, setSought] = useState("");
  const phone = isPhone();

  useEffect(() => {
    document.title = "Cairn";
    const stop = new AbortController();
    api.spaces({ signal: stop.signal }).then(setSpaces, (error: unknown) => {
      if (!stop.signal.aborted) setProblem(inWords(error));
    });
    return () => stop.abort();
  }, [api]);

  const open = useCallback(
    async (title: string, arrival: Arrival) => {
      setBusy(true);
      try {
        const { id } = await api.createSpace({ title, ...(preset && { settings: { preset } }) });
        announceArrival(id, arrival);
        location.hash = spaceHash(id);
      } catch (error) {
        setProblem(inWords(error));
        setBusy(false);
      }
    },
    [api, preset],
  );
  const onFiles = useCallback(
    (files: File[], leftOut?: string) => {
      if (files.length > 0) void open(captureTitle(), { files, leftOut });
      else setProblem(leftOut);
    },
    [open],
  );
  const over = useDrop(onFiles);

  const newest = [...(spaces ?? [])].sort((a, b) => nsToMs(b.createdNs) - nsToMs(a.createdNs));
  const found = newest.filter((space) => nameOf(space).toLowerCase().includes(sought.trim().toLowerCase()));

  return (
    <main className="home">
      <header>
        <Mark />
        <h1>Cairn</h1>
        <p className="lead">{phone ? "Take" : "Drop"} photos of a place, and everyone watches it become 3D, live.</p>
      </header>
      <div className="offers">
        <button type="button" className="offer" disabled={busy} onClick={() => void open("Sample capture", "sample")}>
          <Icon name="play" />
          <strong>Try the sample capture</strong>
          <span>A cairn by a ruined arch, rebuilt before your eyes in a minute or two.</span>
        </button>
        <button type="button" className="offer dashed" disabled={busy} onClick={() => picker.current?.click()}>
          <Icon name="images" />
          <strong>{phone ? "Choose your photos" : "Drop your photos here"}</strong>
          <span>{!phone && "Or choose or paste them. "}Ten to fifty that overlap, from different places.</span>
        </button>
        <PhotoPicker ref={picker} onFiles={onFiles} />
        <PhoneOffer site={site} />
      </div>
      <PresetField preset={preset} disabled={busy} onPreset={setPreset} />
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {newest.length > 0 && (
        <section aria-labelledby="spaces">
          <div className="spaces-head">
            <h2 id="spaces">Spaces</h2>
            {newest.length > AT_A_GLANCE && (
              <input
                type="search"
                aria-label="Find a space by its name"
                placeholder={`Find one of ${newest.length}`}
                value={sought}
                onChange={({ target }) => setSought(target.value)}
              />
            )}
          </div>
          <ul className="spaces">
            {found.map((space) => (
              <li key={space.id}>
                <a href={space.labels?.meshes === true ? DESIGNS : spaceHash(space.id)}>
                  <strong>{nameOf(space)}</strong>
                  <span>{contents(space)}</span>
                </a>
              </li>
            ))}
          </ul>
          {found.length === 0 && <p className="lead">No space has a name with “{sought.trim()}” in it.</p>}
        </section>
      )}
      <DropVeil visible={over} />
    </main>
  );
}

const nameOf = ({ title, id }: SpaceSummary) => title || id;
